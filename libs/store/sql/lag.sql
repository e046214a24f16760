-- How old the oldest ready event is, and how far replicas are behind.

-- statement: outbox_read_lag
-- Reads the age of the oldest ready event in milliseconds, and how far replicas are behind. The first ready
-- event of each bucket is one look into an index; a paused topic hides what is behind it.
SELECT (SELECT coalesce(max(extract(epoch FROM clock_timestamp() - oldest.at)) * 1000, 0)::bigint
          FROM outbox_meta AS m
          CROSS JOIN generate_series(0, {last_bucket}) AS b(bucket)
          JOIN outbox_shards AS s ON s.shard = b.bucket % m.shard_count
          JOIN outbox_relays AS r ON r.relay = s.owner
          CROSS JOIN LATERAL
               (SELECT {finite(o.created_at)} AS at, o.topic
                  FROM outbox_events AS o
                 WHERE o.bucket = b.bucket
                   AND {ready(o)}
                 ORDER BY o.seq
                 LIMIT 1) AS oldest
         WHERE s.stopped IS NULL
           AND {relay_alive}
           AND NOT {shard_paused}
           AND NOT EXISTS
               (SELECT 1
                  FROM outbox_pauses AS p
                 WHERE p.scope = 'topic'
                   AND p.name = oldest.topic)),
       (SELECT coalesce(max(extract(epoch FROM replay_lag)) * 1000, 0)::bigint
          FROM pg_stat_replication);

-- statement: outbox_read_replica_lag
-- Reads how far a replica is behind in milliseconds. One that is cut off from its primary has replayed all
-- that it has received, and still is behind.
SELECT CASE
       WHEN NOT pg_is_in_recovery()
            OR pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() AND EXISTS (SELECT FROM pg_stat_wal_receiver)
       THEN 0
       ELSE coalesce(extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp()) * 1000, 0)
       END::bigint;
