-- The triggers of outbox_events. `outbox-migrate up` runs this file once more where one of them is gone, so each statement
-- takes what stands there.

-- The doorbell. What it cannot do must not fail the writer: whatever goes wrong in it, nobody is rung, and the relay finds the
-- event when it polls. It may be that its owner lost a right, that a role hardened the server's functions, that no lock is left
-- in the server's table, or that outbox_meta is locked. Nothing is written in its subtransaction, which so has no number.
CREATE OR REPLACE FUNCTION outbox_doorbell() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    outbox  integer;
    touched integer;
    rings   boolean;
BEGIN
    BEGIN
        outbox := quote_ident(TG_TABLE_SCHEMA)::regnamespace::oid::integer;
        FOR touched IN SELECT DISTINCT bucket FROM inserted LOOP
            IF NOT pg_try_advisory_xact_lock_shared(outbox, (1 << 28) + touched) THEN
                IF rings IS NULL THEN
                    EXECUTE format('LOCK TABLE %I.outbox_meta IN ACCESS SHARE MODE NOWAIT', TG_TABLE_SCHEMA);
                    EXECUTE format('SELECT doorbell FROM %I.outbox_meta', TG_TABLE_SCHEMA) INTO rings;
                    rings := coalesce(rings, true) AND pg_notification_queue_usage() < 0.5;
                END IF;
                IF rings THEN
                    PERFORM pg_notify('outbox_doorbell_' || outbox, touched::text);
                END IF;
            END IF;
        END LOOP;
    EXCEPTION WHEN OTHERS THEN
        NULL;
    END;
    RETURN NULL;
END $$;

-- While a row may be in flight its identity and its content stand still. Who saves a whole row as it was changes nothing: as
-- mappers of objects do. Compared as text, for json has no equality.
CREATE OR REPLACE FUNCTION outbox_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (OLD.id::text, OLD.seq, OLD.aggregate_type::text, OLD.aggregate_id::text, OLD.event_type::text, OLD.topic::text,
        OLD.partition_key::text, OLD.headers::text, OLD.event_data::text, OLD.tombstone, OLD.payload, OLD.content_type::text)
       IS NOT DISTINCT FROM
       (NEW.id::text, NEW.seq, NEW.aggregate_type::text, NEW.aggregate_id::text, NEW.event_type::text, NEW.topic::text,
        NEW.partition_key::text, NEW.headers::text, NEW.event_data::text, NEW.tombstone, NEW.payload, NEW.content_type::text) THEN
        RETURN NULL;
    END IF;
    RAISE EXCEPTION 'event % is %: its identity, key, topic and content cannot change before it is sent',
        OLD.id, coalesce(OLD.status, 'NEW') USING ERRCODE = 'object_not_in_prerequisite_state';
END $$;

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_trigger WHERE tgrelid = 'outbox_events'::regclass AND tgname = 'outbox_doorbell') THEN
        CREATE TRIGGER outbox_doorbell AFTER INSERT ON outbox_events
            REFERENCING NEW TABLE AS inserted FOR EACH STATEMENT EXECUTE FUNCTION outbox_doorbell();
    END IF;
    IF NOT EXISTS (SELECT FROM pg_trigger WHERE tgrelid = 'outbox_events'::regclass AND tgname = 'outbox_refuse_change') THEN
        CREATE TRIGGER outbox_refuse_change
            AFTER UPDATE OF id, seq, aggregate_type, aggregate_id, event_type, event_data, topic, partition_key, headers,
                            tombstone, payload, content_type
            ON outbox_events FOR EACH ROW
            WHEN (coalesce(OLD.status, 'NEW') IN ('NEW', 'PROCESSING'))
            EXECUTE FUNCTION outbox_refuse_change();
    END IF;
END $$;
