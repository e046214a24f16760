-- Whether the outbox is one that the program can work with.

-- statement: outbox_find_schema
-- Finds out whether there is an outbox, and what its program may use. An outbox that stands elsewhere is
-- named too, because DB_SCHEMA may have been forgotten.
SELECT current_database(), regexp_replace(current_setting('search_path'), ', pg_temp$', ''), current_user,
       current_schema() IS NOT NULL, to_regclass('outbox_meta') IS NOT NULL,
       to_regprocedure('outbox_schema_version()') IS NOT NULL,
       (SELECT min(n.nspname::text)
          FROM pg_class AS c
          JOIN pg_namespace AS n ON n.oid = c.relnamespace
         WHERE c.relname = 'outbox_meta'
           AND c.relkind = 'r'
           AND n.nspname IS DISTINCT FROM current_schema()),
       EXISTS (SELECT
                 FROM pg_namespace
                WHERE nspname = replace(regexp_replace(current_setting('search_path'), '^"?(.*?)"?, pg_temp$', '\1'),
                                        '""', '"'));

-- statement: outbox_note_deletes
-- Notes that relays delete events that are sent from now on.
UPDATE outbox_meta SET sent_deleted_since = clock_timestamp() WHERE sent_deleted_since IS NULL;

-- statement: outbox_sent_deleted
-- Tells since when relays delete events that are sent; NULL: they never did.
SELECT {utc(sent_deleted_since)} FROM outbox_meta;

-- statement: outbox_bars_to_deletes
-- Says what keeps the role from deleting events: a right that it lacks, or references from other tables.
SELECT CASE WHEN NOT has_table_privilege('outbox_events', 'DELETE')
            THEN format('role %I may not delete from outbox_events; type: GRANT DELETE ON outbox_events TO %I',
                        current_user, current_user)
       END
 UNION ALL
SELECT format('constraint %I of table %s keeps events that it refers to; type: ALTER TABLE %s DROP CONSTRAINT %I',
              c.conname, c.conrelid::regclass, c.conrelid::regclass, c.conname)
  FROM pg_constraint AS c
 WHERE c.contype = 'f'
   AND c.confrelid = 'outbox_events'::regclass
   AND c.confdeltype IN ('a', 'r');

-- statement: outbox_read_version
-- Reads the version of the outbox.
SELECT outbox_schema_version();
