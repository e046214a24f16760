-- How far claims need not look while topics are left out.

-- statement: outbox_last_seq
-- Reads the last number that the identity gave out; 0 where it cannot be told, for with a cache sessions use
-- numbers long after they got them.
SELECT CASE WHEN s.seqcache = 1 THEN coalesce(pg_sequence_last_value(s.seqrelid), 0) ELSE 0 END
  FROM pg_sequence AS s
 WHERE s.seqrelid = pg_get_serial_sequence('outbox_events', 'seq')::regclass;

-- statement: outbox_find_writers
-- Names the transactions that may insert events. Whoever inserts holds this lock before it gets a number,
-- until its end.
SELECT DISTINCT l.virtualtransaction
  FROM pg_locks AS l
 WHERE l.locktype = 'relation'
   AND l.granted
   AND l.relation = 'outbox_events'::regclass
   AND l.mode = 'RowExclusiveLock'
   AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
   AND l.pid IS DISTINCT FROM pg_backend_pid();

-- statement: outbox_find_floors
-- Walks over at most $5 rows at the head of each bucket, up to number $4, and tells how far all of them are
-- of topics that are left out ($3). Rows that are claimed count as well: they may come back.
SELECT b.bucket, coalesce(w.open - 1, CASE WHEN w.n = $5::bigint THEN w.last ELSE $4::bigint END)
  FROM unnest($1::smallint[], $2::bigint[]) AS b(bucket, floor)
  CROSS JOIN LATERAL
       (SELECT count(*) AS n, max(r.seq) AS last, min(r.seq) FILTER (WHERE r.topic <> ALL ($3::text[])) AS open
          FROM (SELECT o.seq, o.topic
                  FROM outbox_events AS o
                 WHERE o.bucket = b.bucket
                   AND {ready(o)}
                   AND o.seq > b.floor
                   AND o.seq <= $4::bigint
                 ORDER BY o.seq
                 LIMIT $5::bigint) AS r) AS w;
