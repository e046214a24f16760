-- What `check` looks at before a program is started. Nothing here changes anything.

-- statement: outbox_check_server
-- Reads what kind of server answers, by which clock, and how many more sessions it has for this role.
SELECT current_setting('server_version'), current_setting('server_version_num')::integer, pg_is_in_recovery(),
       (extract(epoch FROM clock_timestamp()) * 1000)::bigint, quote_ident(current_user),
       quote_ident(current_database()), r.rolconnlimit,
       (SELECT count(*) FROM pg_stat_activity AS a WHERE a.usesysid = r.oid),
       (SELECT l.version FROM pg_stat_ssl AS l WHERE l.pid = pg_backend_pid() AND l.ssl)
  FROM pg_roles AS r
 WHERE r.rolname = current_user;

-- statement: outbox_check_settings
-- Reads what a new session of this role begins with, whatever this one has set since.
SELECT name, reset_val
  FROM pg_settings
 WHERE name IN ('fsync', 'full_page_writes', 'synchronous_commit');

-- statement: outbox_check_own_settings
-- Reads what ALTER ROLE and ALTER DATABASE have set for this role here, and the statement's words for whom.
SELECT split_part(c, '=', 1), substr(c, strpos(c, '=') + 1),
       CASE WHEN s.setrole = 0 THEN format('DATABASE %I', current_database())
            WHEN s.setdatabase = 0 THEN format('ROLE %I', current_user)
            ELSE format('ROLE %I IN DATABASE %I', current_user, current_database()) END
  FROM pg_db_role_setting AS s
  CROSS JOIN unnest(s.setconfig) AS c
 WHERE s.setrole IN (0, (SELECT oid FROM pg_roles WHERE rolname = current_user))
   AND s.setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
   AND s.setrole::bigint + s.setdatabase::bigint <> 0
 ORDER BY 1, 3;

-- statement: outbox_check_grants
-- Finds the rights that this role lacks, of those named. A table that is not there is another matter, and an
-- empty column stands for the whole table.
SELECT n.privilege, n.relation, n.field
  FROM unnest($1::text[], $2::text[], $3::text[]) WITH ORDINALITY AS n(relation, field, privilege, place)
 WHERE to_regclass(n.relation) IS NOT NULL
   AND NOT CASE WHEN (SELECT relkind FROM pg_class WHERE oid = to_regclass(n.relation)) = 'S'
                THEN has_sequence_privilege(to_regclass(n.relation)::oid, n.privilege)
                WHEN n.field = '' THEN has_table_privilege(to_regclass(n.relation)::oid, n.privilege)
                ELSE has_table_privilege(to_regclass(n.relation)::oid, n.privilege)
                     OR has_column_privilege(to_regclass(n.relation)::oid, n.field, n.privilege) END
 ORDER BY n.place;

-- statement: outbox_check_identity
-- Reads whom the outbox belongs to, and whether it has ever sent anything.
SELECT m.outbox_id, m.name, m.cluster_id, m.shard_count,
       EXISTS (SELECT FROM outbox_shards AS s WHERE s.marked_batch > 0)
  FROM outbox_meta AS m;

-- statement: outbox_check_topics
-- Finds where the unsent events go, with the age of the oldest: of at most so many events.
SELECT u.topic, u.aggregate_type, u.event_type, count(*),
       (extract(epoch FROM clock_timestamp() - min(u.created_at)) * 1000)::bigint
  FROM (SELECT o.topic, o.aggregate_type, o.event_type, {finite(o.created_at)} AS created_at
          FROM outbox_events AS o
         WHERE {unsent(o)}
         LIMIT $1) AS u
 GROUP BY 1, 2, 3
 ORDER BY 4 DESC
 LIMIT 500;
