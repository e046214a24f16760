-- The outbox. The columns of CREATE TABLE are the published contract; what follows them is the relay's own.
-- A table that already stands is adopted: its rows are numbered by (created_at, id) and none is lost.
DO $$
DECLARE
    processing_means text := nullif(current_setting('outbox.processing', true), '');
    in_flight bigint;
    strange text;
BEGIN
    IF to_regclass('outbox_events') IS NULL THEN
        RETURN;
    END IF;
    -- From here on nobody writes: an old relay that is still running cannot turn a checked row into PROCESSING.
    LOCK TABLE outbox_events IN ACCESS EXCLUSIVE MODE;
    COMMENT ON TABLE outbox_events IS 'adopted by outbox-migrate: down keeps it';

    SELECT string_agg(DISTINCT quote_literal(status), ', ') INTO strange FROM outbox_events
     WHERE status NOT IN ('NEW', 'PROCESSING', 'SENT', 'FAILED', 'SKIPPED');
    IF strange IS NOT NULL THEN
        RAISE EXCEPTION 'outbox_events holds rows whose status is not known here: %', strange
            USING HINT = 'Set them to NEW (to be sent), SENT, FAILED or SKIPPED, then run up again.';
    END IF;

    SELECT count(*) INTO in_flight FROM outbox_events WHERE status = 'PROCESSING';
    IF in_flight > 0 AND processing_means IS NULL THEN
        RAISE EXCEPTION 'outbox_events holds % PROCESSING row(s), and only you can know whether Kafka has them', in_flight
            USING HINT = 'Stop the old relay, then run up with --processing=resend (they are sent, perhaps again) '
                         'or --processing=sent (they are taken for sent).';
    END IF;
    UPDATE outbox_events SET status = CASE processing_means WHEN 'sent' THEN 'SENT' ELSE 'NEW' END
     WHERE status = 'PROCESSING';
END $$;

CREATE TABLE IF NOT EXISTS outbox_events (
    id             UUID PRIMARY KEY,
    aggregate_type VARCHAR(255) NOT NULL,
    aggregate_id   VARCHAR(255) NOT NULL,
    event_type     VARCHAR(255) NOT NULL,
    event_data     JSONB NOT NULL,
    status         VARCHAR(50) DEFAULT 'NEW',
    topic          VARCHAR(255) NOT NULL,
    partition_key  VARCHAR(255),
    created_at     TIMESTAMPTZ,
    processed_at   TIMESTAMPTZ,
    retry_count    INTEGER DEFAULT 0,
    max_retries    INTEGER DEFAULT 3,
    error_message  TEXT
);

-- Room in each page for the versions that a row goes through.
ALTER TABLE outbox_events SET (fillfactor = 70);

-- Each delivery adds an entry for the same id beside the first; where it has room, no page is split or cleaned for it.
DO $$
DECLARE
    key regclass;
BEGIN
    FOR key IN SELECT indexrelid FROM pg_index WHERE indrelid = 'outbox_events'::regclass AND indisprimary LOOP
        EXECUTE format('ALTER INDEX %s SET (fillfactor = 50)', key);
    END LOOP;
END $$;

ALTER TABLE outbox_events
    ADD COLUMN seq             BIGINT,
    -- First byte of the md5 of the key, modulo 64: any language can compute it.
    ADD COLUMN bucket          SMALLINT GENERATED ALWAYS AS
        ((get_byte(decode(md5(coalesce(partition_key, aggregate_id)), 'hex'), 0) & 63)::smallint) STORED,
    -- Stays true from NEW to PROCESSING, so that the indexes below do not see that update (it is HOT).
    ADD COLUMN unsent          BOOLEAN GENERATED ALWAYS AS (coalesce(status, 'NEW') IN ('NEW', 'PROCESSING')) STORED,
    ADD COLUMN headers         JSONB CHECK (jsonb_typeof(headers) = 'object'),
    ADD COLUMN next_attempt_at TIMESTAMPTZ,
    ADD COLUMN kafka_partition INTEGER,
    ADD COLUMN kafka_offset    BIGINT,
    ADD CONSTRAINT outbox_events_status_check
        CHECK (status IN ('NEW', 'PROCESSING', 'SENT', 'FAILED', 'SKIPPED')),
    ALTER COLUMN status SET DEFAULT 'NEW',
    ALTER COLUMN created_at SET DEFAULT CURRENT_TIMESTAMP;

UPDATE outbox_events AS e SET seq = n.seq
  FROM (SELECT ctid, row_number() OVER (ORDER BY created_at NULLS FIRST, id) AS seq FROM outbox_events) AS n
 WHERE e.ctid = n.ctid;

ALTER TABLE outbox_events
    ALTER COLUMN seq SET NOT NULL,
    ALTER COLUMN seq ADD GENERATED ALWAYS AS IDENTITY;

SELECT setval(pg_get_serial_sequence('outbox_events', 'seq'), max(seq)) FROM outbox_events HAVING max(seq) IS NOT NULL;

-- Unsent rows are ready or waiting. Claims walk the ready ones. A NULL status counts as NEW.
CREATE INDEX outbox_events_unsent ON outbox_events (bucket, seq)
    WHERE unsent AND next_attempt_at IS NULL;

-- Rows that wait: for a retry, or until 'infinity' as later events of a key that is blocked (outbox_blocked_keys).
CREATE INDEX outbox_events_waiting ON outbox_events (bucket, (coalesce(partition_key, aggregate_id)), seq)
    WHERE unsent AND next_attempt_at IS NOT NULL;
CREATE INDEX outbox_events_due ON outbox_events (bucket, next_attempt_at)
    WHERE unsent AND next_attempt_at < 'infinity';

-- While a row may be in flight its identity and its content stand still. AFTER, because a BEFORE trigger locks each row
-- of every update once more, also of those that it has nothing to do with.
CREATE FUNCTION outbox_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'event % is %: its identity, key, topic and content cannot change before it is sent',
        OLD.id, coalesce(OLD.status, 'NEW') USING ERRCODE = 'object_not_in_prerequisite_state';
END $$;

CREATE TRIGGER outbox_refuse_change
    AFTER UPDATE OF id, seq, aggregate_type, aggregate_id, event_type, event_data, topic, partition_key, headers
    ON outbox_events FOR EACH ROW
    WHEN (coalesce(OLD.status, 'NEW') IN ('NEW', 'PROCESSING'))
    EXECUTE FUNCTION outbox_refuse_change();
