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

-- statement: outbox_read_version
-- Reads the version of the outbox.
SELECT outbox_schema_version();
