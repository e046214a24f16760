-- What a relay's /metrics shows of its shards. Each count ends at a limit, so that a backlog of any size costs
-- no more than one of that size.

-- fragment: some_of(what)
-- As many events as there are among these of shard s, up to $2: a walk over the index of each bucket, one
-- after the other.
(SELECT count(*) AS n, min(e.at) AS oldest
   FROM (SELECT b.at
           FROM generate_series(s.shard, {last_bucket}, m.shard_count) AS n(bucket)
           CROSS JOIN LATERAL
                (SELECT {finite(o.created_at)} AS at
                   FROM outbox_events AS o
                  WHERE o.bucket = n.bucket
                    AND {what}
                 OFFSET 0) AS b
          LIMIT $2) AS e)

-- statement: outbox_sample_shards
-- Counts unsent and FAILED events and blocked keys of the shards $1, each no further than $2, and tells the age
-- of the oldest unsent event in milliseconds.
SELECT s.shard, least(ready.n + waiting.n, $2),
       (extract(epoch FROM clock_timestamp() - least(first.at, waiting.oldest)) * 1000)::bigint,
       failed.n, blocked.n
  FROM unnest($1::integer[]) AS s(shard)
  CROSS JOIN outbox_meta AS m
  CROSS JOIN LATERAL {some_of({ready(o)})} AS ready
  CROSS JOIN LATERAL {some_of({waiting(o)})} AS waiting
  CROSS JOIN LATERAL {some_of(o.failed)} AS failed
  CROSS JOIN LATERAL
       (SELECT min(oldest.at) AS at
          FROM generate_series(s.shard, {last_bucket}, m.shard_count) AS n(bucket)
          CROSS JOIN LATERAL
               (SELECT {finite(o.created_at)} AS at
                  FROM outbox_events AS o
                 WHERE o.bucket = n.bucket
                   AND {ready(o)}
                 ORDER BY o.seq
                 LIMIT 1) AS oldest) AS first
  CROSS JOIN LATERAL
       (SELECT count(*) AS n
          FROM (SELECT
                  FROM generate_series(s.shard, {last_bucket}, m.shard_count) AS n(bucket)
                  CROSS JOIN LATERAL
                       (SELECT FROM outbox_blocked_keys AS k WHERE k.bucket = n.bucket OFFSET 0) AS b
                 LIMIT $2) AS e) AS blocked
 WHERE s.shard < m.shard_count;

-- statement: outbox_sample_transactions
-- Tells for how many milliseconds the oldest transaction of this database is open that keeps dead rows, as far as
-- this role may see it; prepared ones everybody may see.
SELECT coalesce(extract(epoch FROM clock_timestamp() - min(t.since)) * 1000, 0)::bigint
  FROM (SELECT a.xact_start AS since
          FROM pg_stat_activity AS a
         WHERE a.datname = current_database()
           AND a.pid <> pg_backend_pid()
           AND (a.backend_xmin IS NOT NULL OR a.backend_xid IS NOT NULL)
         UNION ALL
        SELECT p.prepared FROM pg_prepared_xacts AS p WHERE p.database = current_database()) AS t;
