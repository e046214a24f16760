-- Which relays there are, and what the outbox belongs to.

-- fragment: origin
-- The server and the database that the outbox stands in, which a copy of the database does not share.
(SELECT s.system_identifier::text FROM pg_control_system() AS s) || '/' ||
(SELECT d.oid::text FROM pg_database AS d WHERE d.datname = current_database())

-- statement: outbox_read_meta
-- Reads what the outbox belongs to, and keeps others from changing it.
SELECT outbox_id, name, cluster_id, shard_count FROM outbox_meta FOR UPDATE;

-- statement: outbox_read_beginner
-- Reads the identity of an outbox that has never sent anything, whether its id was made here, and where it
-- stands.
SELECT m.outbox_id, m.name IS NOT NULL, coalesce(m.origin = {origin}, false),
       format('database %s, schema %s, on %s:%s', current_database(), current_schema(),
              coalesce(host(inet_server_addr()), 'a local socket'), current_setting('port'))
  FROM outbox_meta AS m
 WHERE NOT EXISTS (SELECT FROM outbox_shards AS s WHERE s.marked_batch > 0);

-- statement: outbox_renew_id
-- Gives the outbox a new id if it was copied from elsewhere before its first relay.
UPDATE outbox_meta
   SET outbox_id = gen_random_uuid(), origin = {origin}
 WHERE name IS NULL
   AND origin IS DISTINCT FROM {origin};

-- statement: outbox_write_meta
-- Notes what the outbox belongs to, at the start of its first relay.
UPDATE outbox_meta SET name = $1, cluster_id = $2, shard_count = $3;

-- statement: outbox_make_shards
-- Makes the rows of the shards, at the start of the first relay.
INSERT INTO outbox_shards (shard) SELECT generate_series(0, $1::integer - 1) ON CONFLICT DO NOTHING;

-- statement: outbox_remake_shards
-- Makes rows of shards that were there before and are gone. Their manifests carry an epoch and events that
-- only Kafka knows now: the new epoch is above every one that was counted up to, and all numbers up to the
-- newest count as claimed. Under whose producers events of theirs are under way nobody knows.
INSERT INTO outbox_shards (shard, slot, epoch, claimed_seq)
SELECT g.shard,
       -1,
       extract(epoch FROM clock_timestamp())::bigint,
       greatest((SELECT max(newest.seq)
                   FROM generate_series(0, {last_bucket}) AS b(bucket)
                   CROSS JOIN LATERAL
                        (SELECT o.seq
                           FROM outbox_events AS o
                          WHERE o.bucket = b.bucket
                            AND {ready(o)}
                          ORDER BY o.seq DESC
                          LIMIT 1) AS newest),
                (SELECT max(claimed_seq) FROM outbox_shards),
                0)
  FROM (SELECT shard_count FROM outbox_meta FOR SHARE) AS m, generate_series(0, m.shard_count - 1) AS g(shard)
 WHERE NOT EXISTS (SELECT FROM outbox_shards AS s WHERE s.shard = g.shard)
 ON CONFLICT DO NOTHING
 RETURNING shard;

-- statement: outbox_find_meta
-- Finds out whether the row is there that says who this outbox is.
SELECT FROM outbox_meta;

-- statement: outbox_join
-- Registers relay $1, unless the outbox has got another id since the relay started.
INSERT INTO outbox_relays (relay, name, lease, made_for)
SELECT $1, $2, $3::bigint * interval '1 millisecond', $5::integer FROM outbox_meta WHERE outbox_id = $4
 ON CONFLICT (relay) DO UPDATE SET heartbeat_at = clock_timestamp()
 RETURNING lock_key;

-- statement: outbox_hold_relay
-- Takes the lock that shows that a relay's session stands.
SELECT pg_try_advisory_lock({relay_lock($1::integer)});

-- statement: outbox_channel
-- Reads the name of the doorbell's channel, which a relay listens to.
SELECT {channel};

-- statement: outbox_tell_members
-- Tells the other relays that one has come or gone.
{ring('members')};

-- statement: outbox_beat
-- Beats for relay $1 and notes which of its shards cannot be recovered or are held back ($3 to $6). Reads which
-- relays are alive, what is known of each shard, and which topics are paused: one row each.
WITH beat AS
    (UPDATE outbox_relays
        SET heartbeat_at = clock_timestamp(),
            hindered = (SELECT jsonb_agg(jsonb_build_object(
                                   'shard', h.shard,
                                   'why', h.why,
                                   'slow', h.slow = 1,
                                   'since', clock_timestamp() - h.lasts * interval '1 millisecond'))
                          FROM unnest($3::integer[], $4::bigint[], $5::text[], $6::integer[])
                               AS h(shard, lasts, why, slow))
      WHERE relay = $1
        AND EXISTS (SELECT FROM outbox_meta WHERE outbox_id = $2)
     RETURNING relay)
SELECT NULL::integer AS shard, r.relay AS relay, true AS alive,
       (SELECT shard_count FROM outbox_meta)::bigint AS since, false AS paused, NULL AS topic
  FROM outbox_relays AS r
 WHERE r.relay IN (SELECT relay FROM beat)
    OR (r.relay <> $1 AND {relay_alive})
UNION ALL
SELECT s.shard, s.owner,
       s.owner IS NOT NULL
       AND (s.owner = $1 OR EXISTS (SELECT 1 FROM outbox_relays AS r WHERE r.relay = s.owner AND {relay_alive})),
       (extract(epoch FROM s.owned_since) * 1000000)::bigint, {shard_paused}, NULL
  FROM outbox_shards AS s, outbox_meta AS m
 WHERE s.shard < m.shard_count
UNION ALL
SELECT NULL, NULL, false, NULL, true, p.name
  FROM outbox_pauses AS p
 WHERE p.scope = 'topic';

-- statement: outbox_leave
-- Takes relay $1 off the register, and gives back its slots.
WITH free AS (UPDATE outbox_slots SET relay = NULL WHERE relay = $1)
DELETE FROM outbox_relays WHERE relay = $1;

-- statement: outbox_forget
-- Forgets relays that are dead and own nothing.
DELETE FROM outbox_relays AS r
 WHERE r.heartbeat_at < clock_timestamp() - greatest(r.lease, interval '1 minute')
   AND NOT EXISTS (SELECT 1 FROM outbox_shards AS s WHERE s.owner = r.relay);

-- statement: outbox_note_outages
-- Notes which topics relay $1 cannot send to, and forgets those that it can send to again.
WITH over AS (DELETE FROM outbox_topic_outages WHERE relay = $1 AND topic <> ALL ($2::text[]))
INSERT INTO outbox_topic_outages AS o (relay, topic, since, code, reason, given_up)
SELECT $1, m.topic, clock_timestamp() - m.lasts * interval '1 millisecond', m.code, m.reason, m.given_up
  FROM unnest($2::text[], $3::bigint[], $4::integer[], $5::text[], $6::boolean[])
       AS m(topic, lasts, code, reason, given_up)
 WHERE EXISTS (SELECT 1 FROM outbox_relays AS r WHERE r.relay = $1)
 ON CONFLICT (relay, topic) DO UPDATE
   SET since = excluded.since, code = excluded.code, reason = excluded.reason, given_up = excluded.given_up;

-- statement: outbox_find_unsent
-- Finds out whether events wait that name one of these topics.
SELECT EXISTS
       (SELECT 1
          FROM generate_series(0, {last_bucket}) AS b(bucket)
          CROSS JOIN LATERAL
               (SELECT 1
                  FROM outbox_events AS o
                 WHERE o.bucket = b.bucket
                   AND {waiting(o)}
                   AND o.topic = ANY ($1::text[])
                 LIMIT 1) AS found)
       OR EXISTS
       (SELECT 1
          FROM generate_series(0, {last_bucket}) AS b(bucket)
          CROSS JOIN LATERAL
               (SELECT 1
                  FROM outbox_events AS o
                 WHERE o.bucket = b.bucket
                   AND {ready(o)}
                   AND o.topic = ANY ($1::text[])
                 LIMIT 1) AS found);
