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
