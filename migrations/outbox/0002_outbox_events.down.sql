DO $$
DECLARE
    key regclass;
BEGIN
    IF obj_description(to_regclass('outbox_events'), 'pg_class') LIKE 'adopted by outbox-migrate%' THEN
        COMMENT ON TABLE outbox_events IS NULL;
        DROP TRIGGER outbox_refuse_change ON outbox_events;
        DROP INDEX outbox_events_due, outbox_events_waiting, outbox_events_unsent;
        ALTER TABLE outbox_events
            DROP CONSTRAINT outbox_events_status_check,
            DROP COLUMN kafka_offset,
            DROP COLUMN kafka_partition,
            DROP COLUMN next_attempt_at,
            DROP COLUMN headers,
            DROP COLUMN unsent,
            DROP COLUMN bucket,
            DROP COLUMN seq;
        -- As published: up gave it a default, and what stood there before is not known.
        ALTER TABLE outbox_events ALTER COLUMN created_at DROP DEFAULT;
        ALTER TABLE outbox_events RESET (fillfactor);
        FOR key IN SELECT indexrelid FROM pg_index WHERE indrelid = 'outbox_events'::regclass AND indisprimary LOOP
            EXECUTE format('ALTER INDEX %s RESET (fillfactor)', key);
        END LOOP;
    ELSE
        DROP TABLE IF EXISTS outbox_events;
    END IF;
END $$;

DROP FUNCTION outbox_refuse_change();
