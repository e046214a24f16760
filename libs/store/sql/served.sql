-- Whether tables whose rows become events are still served.

-- statement: outbox_look_at_served
-- Reads what the catalogue says about each served table now, beside what was noted when it began to be
-- served. A clone of the trigger on a partition has the partition's own switch.
SELECT s.name, now.name, other.name, parent.name, child.name, t.tgenabled, clone.name, f.prosrc = s.body,
       -- A function that looks its outbox up follows wherever that goes.
       strpos(s.body, 'IF to_regclass(') > 0
       OR strpos(s.body, format('INSERT INTO %I.outbox_events ', o.nspname)) > 0,
       gone.names, changed.names, lacks.statements, pg_get_userbyid(f.proowner), quote_ident(t.tgname)
  FROM outbox_captures AS s
  CROSS JOIN
       (SELECT n.oid, n.nspname
          FROM pg_class AS k
          JOIN pg_namespace AS n ON n.oid = k.relnamespace
         WHERE k.oid = 'outbox_events'::regclass) AS o
  LEFT JOIN pg_class AS c ON c.oid = s.source
  LEFT JOIN LATERAL
       (SELECT format('%I.%I', n.nspname, c.relname)
          FROM pg_namespace AS n
         WHERE n.oid = c.relnamespace) AS now(name) ON true
  LEFT JOIN LATERAL
       (SELECT to_regclass(s.name)::text WHERE to_regclass(s.name)::oid <> s.source::oid) AS other(name) ON true
  LEFT JOIN LATERAL
       (SELECT i.inhparent::regclass::text
          FROM pg_inherits AS i
         WHERE i.inhrelid = c.oid
         LIMIT 1) AS parent(name) ON true
  LEFT JOIN LATERAL
       (SELECT i.inhrelid::regclass::text
          FROM pg_inherits AS i
         WHERE i.inhparent = c.oid
           AND c.relkind = 'r'
         LIMIT 1) AS child(name) ON true
  -- Another outbox may serve the table as well.
  LEFT JOIN LATERAL
       (SELECT g.*
          FROM pg_trigger AS g
          JOIN pg_proc AS p ON p.oid = g.tgfoid
         WHERE g.tgrelid = c.oid
           AND g.tgname ~ '^outbox_capture(_[0-9a-f]{8})?$'
           AND p.pronamespace = o.oid
         ORDER BY p.prosrc = s.body DESC
         LIMIT 1) AS t ON true
  LEFT JOIN pg_proc AS f ON f.oid = t.tgfoid
  LEFT JOIN LATERAL
       (WITH RECURSIVE clones AS
            (SELECT p.oid, p.tgrelid, p.tgenabled
               FROM pg_trigger AS p
              WHERE p.tgparentid = t.oid
             UNION ALL
             SELECT p.oid, p.tgrelid, p.tgenabled
               FROM pg_trigger AS p
               JOIN clones ON p.tgparentid = clones.oid)
        SELECT clones.tgrelid::regclass::text
          FROM clones
          JOIN pg_class AS k ON k.oid = clones.tgrelid AND k.relkind = 'r'
         WHERE clones.tgenabled NOT IN ('O', 'A')
         LIMIT 1) AS clone(name) ON true
  LEFT JOIN LATERAL
       (SELECT string_agg(quote_ident(w.key), ', ' ORDER BY w.key)
          FROM jsonb_each_text(s.columns) AS w
         WHERE NOT EXISTS
               (SELECT
                  FROM pg_attribute AS a
                 WHERE a.attrelid = c.oid
                   AND a.attname = w.key
                   AND NOT a.attisdropped)) AS gone(names) ON true
  LEFT JOIN LATERAL
       (SELECT string_agg(format('%I (%s, was %s)', w.key, format_type(a.atttypid, NULL), w.value), ', '
                           ORDER BY w.key)
          FROM jsonb_each_text(s.columns) AS w
          JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attname = w.key AND NOT a.attisdropped
         WHERE format_type(a.atttypid, NULL) <> w.value
           AND NOT (format_type(a.atttypid, NULL) IN ('text', 'character varying')
                    AND w.value IN ('text', 'character varying'))
           AND NOT (format_type(a.atttypid, NULL) IN ('integer', 'bigint', 'smallint')
                    AND w.value IN ('integer', 'bigint', 'smallint'))) AS changed(names) ON true
  -- The function inserts with its owner's rights.
  LEFT JOIN LATERAL
       (SELECT string_agg(m.statement, ' ')
          FROM (SELECT format('ALTER FUNCTION %s SECURITY DEFINER;', f.oid::regprocedure) WHERE NOT f.prosecdef
                UNION ALL
                SELECT format('GRANT USAGE ON SCHEMA %I TO %s;', o.nspname, f.proowner::regrole)
                 WHERE NOT has_schema_privilege(f.proowner, o.oid, 'USAGE')
                UNION ALL
                SELECT format('GRANT INSERT ON %I.outbox_events TO %s;', o.nspname, f.proowner::regrole)
                 WHERE NOT has_table_privilege(f.proowner, 'outbox_events'::regclass, 'INSERT')
                UNION ALL
                SELECT format('GRANT EXECUTE ON FUNCTION %s TO %s;', p.oid::regprocedure, f.proowner::regrole)
                  FROM pg_proc AS p
                 WHERE p.pronamespace = o.oid
                   AND p.proname = 'outbox_bucket'
                   AND NOT has_function_privilege(f.proowner, p.oid, 'EXECUTE')) AS m(statement))
       AS lacks(statements) ON true
 ORDER BY s.name;

-- statement: outbox_may_look_at_served
-- Finds out whether the role may read which tables are served.
SELECT has_table_privilege(c.oid, 'SELECT'), quote_ident(current_user)
  FROM pg_class AS c
 WHERE c.oid = to_regclass('outbox_captures');
