-- The bucket of a key without md5, which servers in FIPS mode refuse. Only the server computes it. hashtextextended is what
-- hash partitioning stores rows by, so it stays the same over releases, and pg_upgrade keeps what is stored; a dump and a
-- replica compute generated columns anew. The collation is named, because the hash of a collation that calls different
-- texts equal would be another one.

-- Moves the outbox from md5 to it. The manifests in Kafka name events by bucket and seq, so nothing may be in flight, and
-- no shard may have an owner; the table is written anew. A new outbox starts with it, one with events keeps md5 until its
-- server refuses that.
CREATE FUNCTION outbox_rehash() RETURNS VOID LANGUAGE plpgsql AS $$
BEGIN
    LOCK TABLE outbox_events, outbox_shards, outbox_blocked_keys IN ACCESS EXCLUSIVE MODE;
    IF EXISTS (SELECT FROM outbox_shards WHERE owner IS NOT NULL AND quiet_epoch IS DISTINCT FROM epoch)
       OR EXISTS (SELECT FROM outbox_lost_markers)
       OR EXISTS (SELECT FROM outbox_events WHERE unsent AND status = 'PROCESSING') THEN
        RAISE EXCEPTION 'events may be in flight: this outbox cannot get other buckets now'
            USING HINT = 'Let a relay settle them and stop it in peace (SIGTERM), then run up again.';
    END IF;
    ALTER TABLE outbox_events DROP COLUMN bucket;
    ALTER TABLE outbox_events ADD COLUMN bucket SMALLINT GENERATED ALWAYS AS
        ((hashtextextended(coalesce(partition_key, aggregate_id)::text COLLATE "C", 0) & 63)::smallint) STORED;
    CREATE INDEX outbox_events_unsent ON outbox_events (bucket, seq)
        WHERE unsent AND next_attempt_at IS NULL;
    CREATE INDEX outbox_events_waiting ON outbox_events (bucket, (coalesce(partition_key, aggregate_id)), seq)
        WHERE unsent AND next_attempt_at IS NOT NULL;
    CREATE INDEX outbox_events_due ON outbox_events (bucket, next_attempt_at)
        WHERE unsent AND next_attempt_at < 'infinity';
    CREATE INDEX outbox_events_failed ON outbox_events (bucket, seq) WHERE failed;
    CREATE OR REPLACE FUNCTION outbox_bucket(key TEXT) RETURNS SMALLINT
        LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    RETURN (hashtextextended(key COLLATE "C", 0) & 63)::smallint;
    -- A blocked key stands under its bucket.
    UPDATE outbox_blocked_keys SET bucket = outbox_bucket(key);
END $$;
REVOKE EXECUTE ON FUNCTION outbox_rehash FROM PUBLIC;

-- The bucket of a key of this outbox, as its column has it.
CREATE FUNCTION outbox_bucket(key TEXT) RETURNS SMALLINT
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN (get_byte(decode(md5(key), 'hex'), 0) & 63)::smallint;

DO $$
DECLARE
    numbered boolean;
BEGIN
    EXECUTE format('SELECT is_called FROM %s', pg_get_serial_sequence('outbox_events', 'seq')) INTO numbered;
    IF NOT numbered AND NOT EXISTS (SELECT FROM outbox_events) THEN
        PERFORM outbox_rehash();
    END IF;
END $$;
