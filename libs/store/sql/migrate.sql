-- outbox-migrate.

-- fragment: old_relay_alive
-- Relay r of version 0.1 is alive, whose lock has the name that locks had then.
r.heartbeat_at BETWEEN clock_timestamp() - r.lease AND clock_timestamp() + r.lease
AND EXISTS (SELECT
              FROM pg_locks AS l
             WHERE l.locktype = 'advisory'
               AND l.classid = 1868693507
               AND l.objid = r.lock_key::oid
               AND l.objsubid = 2
               AND l.granted
               AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()))

-- statement: outbox_live_relays
-- Names the relays that are alive, those of version 0.1 included.
SELECT string_agg(r.name, ', ' ORDER BY r.name) FROM outbox_relays AS r WHERE {relay_alive} OR {old_relay_alive};

-- fragment: migration_class
-- The class of the lock that one outbox-migrate at a time holds; advisory locks belong to one database.
1868693508

-- fragment: migration_lock
-- The number of that lock, of schema $1. It is made of the name, because the schema may be missing; 0 is what
-- version 0.1, which knows no other schema, takes.
CASE $1 WHEN 'public' THEN 0 ELSE hashtext($1) END

-- statement: outbox_lock_migration
-- Tries to be the only outbox-migrate at work in schema $1.
SELECT pg_try_advisory_lock({migration_class}, {migration_lock});

-- statement: outbox_migration_holder
-- Describes the session that is at work in schema $1.
SELECT format('%s, process %s, role %s, from %s, connected since %s',
              coalesce(nullif(a.application_name, ''), 'a program'), l.pid, coalesce(a.usename, '?'),
              coalesce(host(a.client_addr), 'a local socket'), {utc(a.backend_start)})
  FROM pg_locks l
  LEFT JOIN pg_stat_activity a USING (pid)
 WHERE l.locktype = 'advisory'
   AND l.granted
   AND l.classid = {migration_class}
   AND l.objid = ({migration_lock})::oid
   AND l.objsubid = 2
   AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database());

-- statement: outbox_create_history
-- Makes the history of the outbox's steps. `checksum` is the sha256 of the up file, in hex; a table that was
-- adopted stood there before, and `down` keeps it.
CREATE TABLE IF NOT EXISTS outbox_migrations (
    version     INTEGER PRIMARY KEY,
    name        TEXT NOT NULL,
    checksum    TEXT NOT NULL,
    applied_at  TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
    duration_ms BIGINT NOT NULL,
    adopted     BOOLEAN NOT NULL DEFAULT false
);

-- statement: outbox_create_example_history
-- Makes the history of the worked example's steps.
CREATE TABLE IF NOT EXISTS outbox_example_migrations (LIKE outbox_migrations INCLUDING ALL);

-- statement: outbox_convert_history
-- Converts the history of version 0.1, which kept both sets in one table, and noted what was adopted in the
-- table's comment. A dump without comments has lost that, so a table that holds rows counts as adopted: what
-- nobody can prove to be ours, `down` does not drop.
DO $$
DECLARE
    step record;
    rows_there boolean;
BEGIN
    IF EXISTS (SELECT FROM pg_attribute WHERE attrelid = 'outbox_migrations'::regclass AND attname = 'adopted') THEN
        RETURN;
    END IF;
    ALTER TABLE outbox_migrations ADD COLUMN adopted BOOLEAN NOT NULL DEFAULT false;
    FOR step IN SELECT m.version, m.name, to_regclass(m.name) AS stands FROM outbox_migrations AS m
                 WHERE (m.version, m.name) IN ((1, 'users'), (2, 'outbox_events')) LOOP
        CONTINUE WHEN step.stands IS NULL;
        EXECUTE format('SELECT EXISTS (SELECT FROM %s)', step.stands) INTO rows_there;
        UPDATE outbox_migrations AS m SET adopted = true WHERE m.version = step.version
           AND (rows_there OR obj_description(step.stands, 'pg_class') LIKE 'adopted by outbox-migrate%');
        IF obj_description(step.stands, 'pg_class') LIKE 'adopted by outbox-migrate%' THEN
            EXECUTE format('COMMENT ON TABLE %s IS NULL', step.stands);
        END IF;
    END LOOP;
    CREATE TABLE outbox_example_migrations (LIKE outbox_migrations INCLUDING ALL);
    WITH moved AS (DELETE FROM outbox_migrations AS m
                    WHERE (m.version, m.name) IN ((1, 'users'), (4, 'idempotency_keys')) RETURNING m.*)
    INSERT INTO outbox_example_migrations SELECT * FROM moved;
    IF NOT EXISTS (SELECT FROM outbox_example_migrations) THEN
        DROP TABLE outbox_example_migrations;
    END IF;
END $$;

-- statement: outbox_read_history_of
-- Reads the steps of a history. Of a row without the column `adopted`, version 0.1's, the key is missing.
-- place history: outbox_migrations
SELECT m.version, m.name, m.checksum, {utc(m.applied_at)}, coalesce((to_jsonb(m) ->> 'adopted')::boolean, false),
       (m.version, m.name) IN ((1, 'users'), (4, 'idempotency_keys'))
  FROM {history} AS m;

-- statement: outbox_add_step
-- Notes a step that was applied.
-- place history: outbox_migrations
INSERT INTO {history} (version, name, checksum, duration_ms, adopted) VALUES ($1, $2, $3, $4, $5::boolean);

-- statement: outbox_remove_step
-- Forgets a step that was taken back.
-- place history: outbox_migrations
DELETE FROM {history} WHERE version = $1;

-- statement: outbox_note_structure
-- Notes the newest step in a function: a dump of the schema alone has functions, and no rows of a history.
DO $$
DECLARE
    newest integer := (SELECT max(version) FROM outbox_migrations);
BEGIN
    IF newest IS NULL THEN
        DROP FUNCTION IF EXISTS outbox_structure();
    ELSE
        EXECUTE format('CREATE OR REPLACE FUNCTION outbox_structure() RETURNS integer LANGUAGE sql IMMUTABLE AS %L',
                       'SELECT ' || newest);
    END IF;
END $$;

-- statement: outbox_look_at_structure
-- Finds out whether the tables of an outbox stand, and whether that function does.
SELECT to_regclass('outbox_meta') IS NOT NULL AND to_regclass('outbox_events') IS NOT NULL,
       to_regprocedure('outbox_structure()') IS NOT NULL;

-- statement: outbox_read_structure
-- Reads the newest step from that function, whether tables hold rows, and whether a subscription fills them.
SELECT outbox_structure(),
       EXISTS (SELECT FROM outbox_meta) OR EXISTS (SELECT FROM outbox_shards) OR EXISTS (SELECT FROM outbox_events),
       EXISTS (SELECT FROM pg_subscription_rel WHERE srrelid = 'outbox_meta'::regclass);

-- statement: outbox_add_meta
-- Makes the row that says who this outbox is: a new one.
INSERT INTO outbox_meta DEFAULT VALUES;

-- statement: outbox_find_marks
-- Finds a shard that has sent something.
SELECT FROM outbox_shards WHERE marked_batch > 0;

-- statement: outbox_lock_relays
-- Keeps relays from registering, until the end of the transaction.
LOCK TABLE outbox_relays IN SHARE ROW EXCLUSIVE MODE;

-- statement: outbox_forget_dropped_capture
-- Forgets another table that had name $1 and was dropped.
DELETE FROM outbox_captures
 WHERE name = $1
   AND source <> $2::oid
   AND NOT EXISTS (SELECT FROM pg_class WHERE oid = source);

-- statement: outbox_rename_capture
-- Notes the name that another table has now, which was noted under name $1.
UPDATE outbox_captures
   SET name = (SELECT format('%I.%I', n.nspname, c.relname)
                 FROM pg_class AS c
                 JOIN pg_namespace AS n ON n.oid = c.relnamespace
                WHERE c.oid = source)
 WHERE name = $1
   AND source <> $2::oid;

-- statement: outbox_forget_capture
-- Forgets how table $1 was served, and tells whether its function has no trigger any more.
DELETE FROM outbox_captures AS s
 WHERE source = $1::oid
RETURNING function,
          NOT EXISTS (SELECT
                        FROM pg_trigger AS t
                        JOIN pg_proc AS f ON f.oid = t.tgfoid
                        JOIN pg_namespace AS n ON n.oid = f.pronamespace
                       WHERE format('%I.%I', n.nspname, f.proname) = s.function);

-- statement: outbox_add_capture
-- Notes how table $2, named $1, is served by function $3, and the types of the columns that events are made of.
INSERT INTO outbox_captures
SELECT t.tgrelid, $1, format('%I.%I', fn.nspname, f.proname), f.prosrc,
       (SELECT coalesce(jsonb_object_agg(a.attname, format_type(a.atttypid, NULL)), '{}')
          FROM pg_attribute AS a
         WHERE a.attrelid = t.tgrelid
           AND a.attnum > 0
           AND NOT a.attisdropped
           AND strpos(f.prosrc, 'n."' || replace(a.attname, '"', '""') || '"') > 0)
  FROM pg_trigger AS t
  JOIN pg_proc AS f ON f.oid = t.tgfoid
  JOIN pg_namespace AS fn ON fn.oid = f.pronamespace
 WHERE t.tgrelid = $2::oid
   AND t.tgfoid = to_regprocedure($3 || '()');

-- statement: outbox_list_captures
-- Lists the served tables whose function stands beside the outbox, table $1, and is what was noted.
SELECT s.source::regclass::text, s.function, s.body, f.oid::regprocedure::text
  FROM outbox_captures AS s
  JOIN pg_trigger AS t ON t.tgrelid = s.source AND t.tgparentid = 0
  JOIN pg_proc AS f ON f.oid = t.tgfoid
       AND f.prosrc = s.body
       AND f.pronamespace = (SELECT relnamespace FROM pg_class WHERE oid = $1::oid)
 ORDER BY s.name;

-- statement: outbox_move_capture
-- Notes the function that serves table $1 now.
UPDATE outbox_captures
   SET body = $2,
       function = (SELECT format('%I.%I', n.nspname, f.proname)
                     FROM pg_proc AS f
                     JOIN pg_namespace AS n ON n.oid = f.pronamespace
                    WHERE f.oid = $3::regprocedure)
 WHERE source = $1::regclass;

-- statement: outbox_find_handover
-- Finds out whether everything is paused for the reason $1.
SELECT FROM outbox_pauses WHERE scope = 'all' AND why = $1;
