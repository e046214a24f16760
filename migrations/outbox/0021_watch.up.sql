-- What an operator should see without looking for it: shards that do not get on, and tables that are not served any more.

-- Why shards of a relay do not get on, written with its heartbeat: [{"shard": 3, "why": "...", "since": "..."}].
ALTER TABLE outbox_relays ADD COLUMN hindered JSONB;

-- The tables that are served, so that one whose trigger or columns are gone is missed.
CREATE TABLE outbox_captures (
    source   REGCLASS PRIMARY KEY,   -- follows the table when it is renamed
    name     TEXT NOT NULL UNIQUE,   -- what it was called when it began to be served
    function TEXT NOT NULL,          -- that its trigger outbox_capture calls
    body     TEXT NOT NULL,
    columns  JSONB NOT NULL          -- that the body reads, with their types
);

-- Those that are served already.
INSERT INTO outbox_captures
SELECT t.tgrelid, format('%I.%I', n.nspname, c.relname), format('%I.%I', fn.nspname, f.proname), f.prosrc,
       (SELECT coalesce(jsonb_object_agg(a.attname, format_type(a.atttypid, NULL)), '{}')
          FROM pg_attribute AS a
         WHERE a.attrelid = t.tgrelid AND a.attnum > 0 AND NOT a.attisdropped
           AND strpos(f.prosrc, 'n.' || '"' || replace(a.attname, '"', '""') || '"') > 0)
  FROM pg_trigger AS t
  JOIN pg_class AS c ON c.oid = t.tgrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace
  JOIN pg_proc AS f ON f.oid = t.tgfoid JOIN pg_namespace AS fn ON fn.oid = f.pronamespace
 WHERE t.tgname = 'outbox_capture' AND t.tgparentid = 0
   AND f.pronamespace = (SELECT relnamespace FROM pg_class WHERE oid = 'outbox_events'::regclass);

-- Two-phase writers switch the doorbell off here: UPDATE outbox_meta SET doorbell = false. A disabled trigger would come back
-- with ALTER TABLE ... ENABLE TRIGGER ALL, which tools for restores and bulk loads type. Nor does it ring when the server's
-- queue is more than half full, by whomever: in a full one each writer's COMMIT would fail. A relay that nobody wakes looks by
-- itself.
ALTER TABLE outbox_meta ADD COLUMN doorbell BOOLEAN NOT NULL DEFAULT true;
UPDATE outbox_meta SET doorbell = NOT EXISTS (SELECT FROM pg_trigger WHERE tgrelid = 'outbox_events'::regclass
                                                 AND tgname = 'outbox_doorbell' AND tgenabled = 'D');

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
