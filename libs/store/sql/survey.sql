-- What is found in a database where the outbox stands or is to stand.

-- fragment: table_facts
-- What the survey wants to know of a table. A condition follows.
SELECT format('%I.%I', n.nspname, c.relname), c.relkind, c.relpersistence, c.relispartition,
       c.relkind <> 'p' AND EXISTS (SELECT FROM pg_inherits WHERE c.oid IN (inhrelid, inhparent)),
       c.relrowsecurity, c.relkind IN ('r', 'p') AND row_security_active(c.oid), c.oid, c.reloftype <> 0
  FROM pg_class AS c
  JOIN pg_namespace AS n ON n.oid = c.relnamespace
 WHERE

-- statement: outbox_survey_database
-- Reads the role, the database, and whether the outbox's tables stand.
SELECT quote_ident(current_user), quote_ident(current_database()), current_setting('server_encoding'),
       to_regclass('outbox_meta') IS NOT NULL, to_regclass('outbox_audit') IS NOT NULL,
       EXISTS (SELECT
                 FROM pg_constraint
                WHERE conrelid = to_regclass('outbox_events')
                  AND conname = 'outbox_events_value_check');

-- statement: outbox_survey_events
-- Reads what kind of table outbox_events is.
{table_facts} c.oid = to_regclass('outbox_events');

-- statement: outbox_survey_tables
-- Finds the other tables of the outbox that have row security.
{table_facts} c.relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = to_regclass('outbox_events'))
   AND c.relrowsecurity
   AND c.relname IN ('outbox_meta', 'outbox_shards', 'outbox_relays', 'outbox_blocked_keys', 'outbox_pauses',
                     'outbox_audit', 'outbox_topics', 'outbox_lost_markers', 'outbox_backfills', 'outbox_slots')
 ORDER BY c.relname;

-- statement: outbox_survey_columns
-- Reads the columns of outbox_events, domains as what they are made of.
SELECT quote_ident(a.attname), format_type(b.oid, NULL),
       CASE WHEN b.oid IN ('varchar'::regtype, 'bpchar'::regtype)
                 AND coalesce(nullif(t.typtypmod, -1), a.atttypmod) > 4
            THEN coalesce(nullif(t.typtypmod, -1), a.atttypmod) - 4
            ELSE 0 END,
       b.typtype = 'e', a.attnotnull OR t.typnotnull,
       (a.atthasdef AND a.attgenerated = '') OR a.attidentity <> '' OR t.typdefault IS NOT NULL,
       a.attgenerated
  FROM pg_attribute AS a
  JOIN pg_type AS t ON t.oid = a.atttypid
  JOIN pg_type AS b ON b.oid = coalesce(nullif(t.typbasetype, 0), t.oid)
 WHERE a.attrelid = $1::oid
   AND a.attnum > 0
   AND NOT a.attisdropped
 ORDER BY a.attnum;

-- statement: outbox_survey_unique
-- Finds out whether an index keeps ids unique.
SELECT EXISTS
       (SELECT
          FROM pg_index AS i
          JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
         WHERE i.indrelid = $1::oid
           AND i.indisunique
           AND i.indisvalid
           AND i.indimmediate
           AND i.indnkeyatts = 1
           AND i.indpred IS NULL
           AND a.attname = 'id');

-- statement: outbox_survey_numbering
-- Reads the sequence that numbers the events, and whether the role may read it.
SELECT format('%I.%I', n.nspname, c.relname), s.seqcache, s.seqincrement, s.seqmax, s.seqcycle,
       CASE WHEN has_sequence_privilege(c.oid, 'SELECT, USAGE') THEN pg_sequence_last_value(c.oid) END,
       a.attidentity = 'a', has_sequence_privilege(c.oid, 'SELECT, USAGE')
  FROM pg_attribute AS a
  JOIN pg_depend AS d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = a.attrelid
       AND d.refobjsubid = a.attnum AND d.classid = 'pg_class'::regclass AND d.deptype = 'i'
  JOIN pg_class AS c ON c.oid = d.objid AND c.relkind = 'S'
  JOIN pg_sequence AS s ON s.seqrelid = c.oid
  JOIN pg_namespace AS n ON n.oid = c.relnamespace
 WHERE a.attrelid = $1::oid
   AND a.attname = 'seq'
   AND a.attidentity <> '';

-- statement: outbox_survey_checks
-- Reads the constraints on the column status alone.
SELECT quote_ident(k.conname), pg_get_expr(k.conbin, k.conrelid)
  FROM pg_constraint AS k
  JOIN pg_attribute AS a ON a.attrelid = k.conrelid AND k.conkey = ARRAY[a.attnum]
 WHERE k.conrelid = $1::oid
   AND k.contype = 'c'
   AND a.attname = 'status'
 ORDER BY k.conname;

-- statement: outbox_survey_status_default
-- Reads the default of the column status.
SELECT pg_get_expr(d.adbin, d.adrelid)
  FROM pg_attrdef AS d
  JOIN pg_attribute AS a ON a.attrelid = d.adrelid AND a.attnum = d.adnum
 WHERE d.adrelid = $1::oid
   AND a.attname = 'status'
   AND a.attgenerated = '';

-- statement: outbox_survey_may_read_identity
-- Finds out whether the role may read what the outbox belongs to.
SELECT bool_and(has_table_privilege(t.oid, 'SELECT') AND NOT row_security_active(t.oid))
  FROM unnest(ARRAY[to_regclass('outbox_meta'), to_regclass('outbox_shards')]) AS t(oid);

-- statement: outbox_survey_identity
-- Finds out whether the row is there that says who this outbox is. Where nothing was ever sent `up` makes it
-- a new outbox.
SELECT EXISTS (SELECT FROM outbox_meta) OR NOT EXISTS (SELECT FROM outbox_shards WHERE marked_batch > 0);

-- statement: outbox_survey_narrow_checks
-- Names constraints on columns that relays write, which may refuse what they write. A constraint about
-- status alone is asked what it refuses instead.
SELECT quote_ident(k.conname)
  FROM pg_constraint AS k
 WHERE k.conrelid = $1::oid
   AND k.contype = 'c'
   AND k.conname NOT LIKE 'outbox\_events\_%'
   AND EXISTS
       (SELECT
          FROM pg_attribute AS a
         WHERE a.attrelid = k.conrelid
           AND a.attnum = ANY (k.conkey)
           AND (a.attname IN ('processed_at', 'retry_count', 'error_message', 'next_attempt_at',
                              'kafka_partition', 'kafka_offset')
                OR (a.attname = 'status' AND cardinality(k.conkey) > 1)))
 ORDER BY 1;

-- statement: outbox_survey_rules
-- Names the rules on outbox_events.
SELECT quote_ident(rulename)
  FROM pg_rewrite
 WHERE ev_class = $1::oid
   AND rulename <> '_RETURN'
   AND ev_enabled <> 'D'
 ORDER BY rulename;

-- statement: outbox_survey_triggers
-- Names triggers of others that fire when relays update rows. An UPDATE's bit in tgtype is 16.
SELECT quote_ident(t.tgname)
  FROM pg_trigger AS t
 WHERE t.tgrelid = $1::oid
   AND NOT t.tgisinternal
   AND t.tgenabled IN ('O', 'A')
   AND t.tgtype & 16 > 0
   AND t.tgname NOT LIKE 'outbox\_%'
   AND (t.tgattr::text = ''
        OR EXISTS
            (SELECT
               FROM pg_attribute AS a
              WHERE a.attrelid = t.tgrelid
                AND a.attnum = ANY (t.tgattr)
                AND a.attname IN ('status', 'processed_at', 'retry_count', 'error_message',
                                  'next_attempt_at', 'kafka_partition', 'kafka_offset')))
 ORDER BY t.tgname;

-- statement: outbox_survey_mute_roles
-- Names roles for which no trigger fires, by a setting.
SELECT coalesce(quote_ident(r.rolname), 'ALL')
  FROM pg_db_role_setting AS s
  LEFT JOIN pg_roles AS r ON r.oid = s.setrole
 WHERE s.setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
   AND 'session_replication_role=replica' = ANY (s.setconfig)
 ORDER BY 1;

-- statement: outbox_survey_silent_triggers
-- Names our own triggers that are gone or disabled. The relays' table has its trigger since the column came that
-- it looks at.
SELECT w.name, t.oid IS NOT NULL, format('%I.%I', n.nspname, c.relname)
  FROM (VALUES ('outbox_events', 'outbox_doorbell', 'seq'),
               ('outbox_events', 'outbox_refuse_change', 'seq'),
               ('outbox_relays', 'outbox_refuse_old_relay', 'made_for'),
               ('outbox_shards', 'outbox_refuse_old_owner', 'slot')) AS w(relation, name, column_name)
  JOIN pg_class AS e ON e.oid = $1::oid
  JOIN pg_namespace AS n ON n.oid = e.relnamespace
  JOIN pg_class AS c ON c.relnamespace = n.oid AND c.relname = w.relation
  JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attname = w.column_name AND NOT a.attisdropped
  LEFT JOIN pg_trigger AS t ON t.tgrelid = c.oid AND t.tgname = w.name AND NOT t.tgisinternal
 WHERE t.oid IS NULL
    OR t.tgenabled NOT IN ('O', 'A')
 ORDER BY w.name;

-- statement: outbox_survey_doorbell_lacks
-- Reads the statements that let the doorbell's function do what it must.
SELECT string_agg(m.statement, ' ')
  FROM pg_trigger AS t
  JOIN pg_proc AS f ON f.oid = t.tgfoid
  JOIN pg_class AS e ON e.oid = t.tgrelid
  JOIN pg_namespace AS n ON n.oid = e.relnamespace
  CROSS JOIN LATERAL
       (SELECT format('ALTER FUNCTION %s SECURITY DEFINER;', f.oid::regprocedure)
         WHERE NOT f.prosecdef
        UNION ALL
        SELECT format('GRANT USAGE ON SCHEMA %I TO %s;', n.nspname, f.proowner::regrole)
         WHERE NOT has_schema_privilege(f.proowner, n.oid, 'USAGE')
        UNION ALL
        SELECT format('GRANT SELECT ON %I.%I TO %s;', n.nspname, c.relname, f.proowner::regrole)
          FROM pg_class AS c
         WHERE c.relnamespace = n.oid
           AND c.relname = 'outbox_meta'
           AND NOT has_table_privilege(f.proowner, c.oid, 'SELECT')
        UNION ALL
        SELECT format('GRANT EXECUTE ON FUNCTION %s TO %s;', p.oid::regprocedure, f.proowner::regrole)
          FROM pg_proc AS p
         WHERE p.pronamespace = 'pg_catalog'::regnamespace
           AND p.proname IN ('pg_notify', 'pg_notification_queue_usage', 'pg_try_advisory_xact_lock_shared')
           AND NOT has_function_privilege(f.proowner, p.oid, 'EXECUTE')
           AND p.proargtypes::text <> '20') AS m(statement)
 WHERE t.tgrelid = $1::oid
   AND t.tgname = 'outbox_doorbell';

-- statement: outbox_survey_refused
-- Asks a constraint about status which of our states it refuses.
-- place condition: v.status = 'NEW'
SELECT string_agg(status, ', ') FROM unnest('{NEW,PROCESSING,SENT,FAILED,SKIPPED}'::varchar[]) AS v(status)
 WHERE NOT ({condition});
