DROP FUNCTION outbox_schema_version;

CREATE OR REPLACE FUNCTION outbox_doorbell() RETURNS trigger
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
