CREATE OR REPLACE FUNCTION outbox_doorbell() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    outbox  integer := quote_ident(TG_TABLE_SCHEMA)::regnamespace::oid::integer;
    touched integer;
    rings   boolean;
BEGIN
    FOR touched IN SELECT DISTINCT bucket FROM inserted LOOP
        IF NOT pg_try_advisory_xact_lock_shared(outbox, (1 << 28) + touched) THEN
            IF rings IS NULL THEN
                EXECUTE format('SELECT doorbell FROM %I.outbox_meta', TG_TABLE_SCHEMA) INTO rings;
                rings := coalesce(rings, true) AND pg_notification_queue_usage() < 0.5;
            END IF;
            IF rings THEN
                PERFORM pg_notify('outbox_doorbell_' || outbox, touched::text);
            END IF;
        END IF;
    END LOOP;
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION outbox_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'event % is %: its identity, key, topic and content cannot change before it is sent',
        OLD.id, coalesce(OLD.status, 'NEW') USING ERRCODE = 'object_not_in_prerequisite_state';
END $$;
