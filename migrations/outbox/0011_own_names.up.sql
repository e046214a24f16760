-- What two outboxes of one database share no more: the doorbell and the advisory locks. Both are named by the schema that
-- the outbox stands in, so a copy of an outbox has names of its own, and one whose schema is renamed keeps its own.

-- The doorbell. A relay that sleeps holds the bucket's advisory lock exclusively, so the shared try fails: ring.
-- One that is awake cannot get it exclusively before this writer's transaction ends, and polls once more after.
-- Locks are not MVCC: no snapshot can be stale. (1 << 28) + bucket is the key of the doorbell's locks.
-- A full queue would roll the writer back at its COMMIT. So where somebody else has filled half of it nobody rings, and
-- relays find the events when they poll; asking also lets the server free what nobody listens to any more.
CREATE OR REPLACE FUNCTION outbox_doorbell() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    outbox  integer := quote_ident(TG_TABLE_SCHEMA)::regnamespace::oid::integer;
    touched integer;
BEGIN
    FOR touched IN SELECT DISTINCT bucket FROM inserted LOOP
        IF NOT pg_try_advisory_xact_lock_shared(outbox, (1 << 28) + touched)
           AND pg_notification_queue_usage() <= 0.5 THEN
            PERFORM pg_notify('outbox_doorbell_' || outbox, touched::text);
        END IF;
    END LOOP;
    RETURN NULL;
END $$;

-- What a program compares with the version that it was made for. A role that may use the schema may ask.
CREATE FUNCTION outbox_schema_version() RETURNS INTEGER
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT max(version) FROM outbox_migrations;
END;
