-- outbox-relay status.

-- fragment: age_ms(t)
-- How long ago a time is, in milliseconds.
(extract(epoch FROM clock_timestamp() - {t}) * 1000)::bigint

-- statement: outbox_status_meta
-- Reads whom the outbox belongs to, for `status`.
SELECT outbox_id, name, cluster_id FROM outbox_meta;

-- statement: outbox_status_shards
-- Reads the state of each shard.
SELECT s.shard, coalesce(r.name, s.owner::text), coalesce({relay_alive}, false), s.epoch, {utc(s.owned_since)},
       s.marked_batch, {age_ms(s.marked_at)}, s.stopped, {shard_paused}, coalesce(s.quiet_epoch = s.epoch, false),
       h.why, {age_ms(h.since)},
       w.why, {age_ms(w.since)}
  FROM outbox_meta AS m
  JOIN outbox_shards AS s ON s.shard < m.shard_count
  LEFT JOIN outbox_relays AS r ON r.relay = s.owner
  LEFT JOIN LATERAL jsonb_to_recordset(r.hindered) AS h(shard integer, why text, since timestamptz, slow boolean)
       ON h.shard = s.shard AND h.slow IS NOT TRUE
  LEFT JOIN LATERAL jsonb_to_recordset(r.hindered) AS w(shard integer, why text, since timestamptz, slow boolean)
       ON w.shard = s.shard AND w.slow
 ORDER BY s.shard;

-- statement: outbox_status_unlogged
-- Finds out whether a crash of the server empties outbox_events.
SELECT relpersistence = 'u' FROM pg_class WHERE oid = 'outbox_events'::regclass;

-- statement: outbox_status_backlog
-- Counts unsent and FAILED events and blocked keys for each shard, and tells the age of its oldest unsent
-- event: a walk over the index of each bucket's unsent events, and a look at its oldest.
SELECT b.bucket % coalesce(m.shard_count, 1), sum(ready.n + waiting.n)::bigint,
       {age_ms(min(least(oldest.at, waiting.oldest)))}, sum(failed.n)::bigint, sum(blocked.n)::bigint
  FROM outbox_meta AS m
  CROSS JOIN generate_series(0, {last_bucket}) AS b(bucket)
  CROSS JOIN LATERAL
       (SELECT count(*) AS n FROM outbox_events AS o WHERE o.bucket = b.bucket AND {ready(o)}) AS ready
  LEFT JOIN LATERAL
       (SELECT {finite(o.created_at)} AS at
          FROM outbox_events AS o
         WHERE o.bucket = b.bucket
           AND {ready(o)}
         ORDER BY o.seq
         LIMIT 1) AS oldest ON true
  CROSS JOIN LATERAL
       (SELECT count(*) AS n, min({finite(o.created_at)}) AS oldest
          FROM outbox_events AS o
         WHERE o.bucket = b.bucket
           AND {waiting(o)}) AS waiting
  CROSS JOIN LATERAL
       (SELECT count(*) AS n FROM outbox_events AS o WHERE o.bucket = b.bucket AND o.failed) AS failed
  CROSS JOIN LATERAL
       (SELECT count(*) AS n FROM outbox_blocked_keys AS k WHERE k.bucket = b.bucket) AS blocked
 GROUP BY 1;

-- statement: outbox_status_relays
-- Lists the relays that are alive.
SELECT r.name, r.relay, (SELECT count(*) FROM outbox_shards AS s WHERE s.owner = r.relay),
       {utc(r.started_at)}, {age_ms(r.heartbeat_at)}
  FROM outbox_relays AS r
 WHERE {relay_alive}
 ORDER BY r.started_at, r.relay;

-- statement: outbox_status_pauses
-- Lists the pauses.
SELECT p.scope, p.name, p.who, p.why, {utc(p.since)} FROM outbox_pauses AS p ORDER BY p.since;

-- statement: outbox_status_outages
-- Lists the topics that living relays cannot send to.
SELECT o.topic, {utc(min(o.since))}, {age_ms(min(o.since))}, (array_agg(o.reason ORDER BY o.since DESC))[1],
       bool_or(o.given_up), count(*)
  FROM outbox_topic_outages AS o
  JOIN outbox_relays AS r ON r.relay = o.relay
 WHERE {relay_alive}
 GROUP BY o.topic
 ORDER BY min(o.since), o.topic;
