-- Deliveries by the million leave pages that outbox_events_seq knows nothing of before the next VACUUM: each statement
-- about a range of seq would read them all. outbox-backfill, whose role does not own the index, has it look at them first.
-- Returns how many ranges of pages it summarised. It gives way to a VACUUM, which does the same, instead of having it
-- cancelled: lock_timeout is shorter than any deadlock_timeout in use.
CREATE FUNCTION outbox_summarize_seq(first_page BIGINT, end_page BIGINT) RETURNS BIGINT
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '200ms'
BEGIN ATOMIC
    SELECT sum(brin_summarize_range('outbox_events_seq', page))
    FROM generate_series(first_page, end_page - 1, 16) AS page;
END;
REVOKE EXECUTE ON FUNCTION outbox_summarize_seq FROM PUBLIC;
