-- What the relays know together. One row: who this outbox is.
CREATE TABLE outbox_meta (
    only_row    BOOLEAN PRIMARY KEY DEFAULT true CHECK (only_row),
    outbox_id   UUID NOT NULL DEFAULT gen_random_uuid(),
    name        TEXT,    -- OUTBOX_NAME at the first start
    cluster_id  TEXT,    -- the Kafka cluster this outbox belongs to
    shard_count INTEGER CHECK (shard_count BETWEEN 1 AND 64)
);
INSERT INTO outbox_meta DEFAULT VALUES;

-- A shard is the set of buckets with bucket % shard_count = shard.
CREATE TABLE outbox_shards (
    shard         INTEGER PRIMARY KEY CHECK (shard BETWEEN 0 AND 63),
    owner         UUID,                         -- relay that may write about this shard, under this epoch
    epoch         BIGINT NOT NULL DEFAULT 0,
    owned_since   TIMESTAMPTZ,
    marked_batch  BIGINT NOT NULL DEFAULT 0,    -- newest batch whose rows are durably marked
    marked_offset BIGINT NOT NULL DEFAULT -1,   -- where its manifest stands in the control partition
    claimed_seq   BIGINT NOT NULL DEFAULT 0,    -- no row above it has ever been PROCESSING
    stopped       TEXT                          -- why the shard stands still until an operator acts
) WITH (fillfactor = 50);

-- The relays that are alive: a fresh heartbeat by the database's clock, and a session that holds their advisory lock.
CREATE TABLE outbox_relays (
    relay        UUID PRIMARY KEY,
    lock_key     INTEGER GENERATED ALWAYS AS IDENTITY,
    name         TEXT NOT NULL,
    lease        INTERVAL NOT NULL,
    started_at   TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
    heartbeat_at TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp()
) WITH (fillfactor = 50);

-- Keys of which an event waits for a retry. Their later events are held aside (next_attempt_at = 'infinity'), so that a
-- claim never walks over them; a key stands here as long as one waits.
CREATE TABLE outbox_blocked_keys (
    bucket SMALLINT,
    key    TEXT,
    PRIMARY KEY (bucket, key)
);

-- The doorbell. A relay that sleeps holds the bucket's advisory lock exclusively, so the shared try fails: ring.
-- One that is awake cannot get it exclusively before this writer's transaction ends, and polls once more after.
-- Locks are not MVCC: no snapshot can be stale. 1868693505 is the class of the doorbell's locks.
CREATE FUNCTION outbox_doorbell() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    touched integer;
BEGIN
    FOR touched IN SELECT DISTINCT bucket FROM inserted LOOP
        IF NOT pg_try_advisory_xact_lock_shared(1868693505, touched) THEN
            PERFORM pg_notify('outbox_doorbell', touched::text);
        END IF;
    END LOOP;
    RETURN NULL;
END $$;

CREATE TRIGGER outbox_doorbell AFTER INSERT ON outbox_events
    REFERENCING NEW TABLE AS inserted FOR EACH STATEMENT EXECUTE FUNCTION outbox_doorbell();
