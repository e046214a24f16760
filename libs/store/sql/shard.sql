-- Who owns a shard, what is to be done there, and how it is recovered.

-- fragment: settle
-- Rows that manifests name become SENT, FAILED or SKIPPED ($3), whatever they wait for. $4 is why they are
-- FAILED, $5 how many attempts that was.
UPDATE outbox_events AS o
   SET status = $3::text,
       processed_at = clock_timestamp(),
       next_attempt_at = NULL,
       retry_count = CASE WHEN $5::integer > 0 THEN coalesce(o.retry_count, 0) + $5::integer ELSE o.retry_count END,
       error_message = CASE $3::text WHEN 'FAILED' THEN concat_ws('; ', o.error_message, $4::text) END

-- statement: outbox_take_shard
-- Gives shard $1 to relay $2 under a new epoch when it is free, the relay's own already, or its owner is
-- dead, unless the outbox has another number of shards or another id by now.
UPDATE outbox_shards AS s
   SET owner = $2, epoch = s.epoch + 1, owned_since = clock_timestamp(), stopped = NULL
 WHERE s.shard = $1
   AND (s.owner IS NULL
        OR s.owner = $2
        OR NOT EXISTS (SELECT 1 FROM outbox_relays AS r WHERE r.relay = s.owner AND {relay_alive}))
   AND EXISTS (SELECT 1 FROM outbox_meta AS m WHERE m.shard_count = $3 AND m.outbox_id = $4)
 RETURNING s.epoch, s.marked_batch, s.marked_offset, s.slot, s.slot_epoch;

-- statement: outbox_release_shard
-- Gives shard $1 back, so that the next relay need not wait for a lease. Nothing of it is under way, so nobody
-- need be fenced either.
UPDATE outbox_shards
   SET owner = NULL, owned_since = NULL, slot = NULL, slot_epoch = 0
 WHERE shard = $1 AND owner = $2 AND epoch = $3;

-- statement: outbox_hand_over_shard
-- Leaves shard $1 to another pipeline of relay $2. Nothing of it is under way, so nobody need be fenced.
UPDATE outbox_shards SET slot = NULL, slot_epoch = 0 WHERE shard = $1 AND owner = $2 AND epoch = $3;

-- statement: outbox_disown_shard
-- Leaves shard $1 to whoever takes it next, who has to fence what may be under way of it.
UPDATE outbox_shards SET owner = NULL, owned_since = NULL WHERE shard = $1 AND owner = $2 AND epoch = $3;

-- statement: outbox_owns_shard
-- Finds out whether relay $2 still owns shard $1 under epoch $3.
SELECT 1 FROM outbox_shards WHERE shard = $1 AND owner = $2 AND epoch = $3;

-- statement: outbox_raise_shard
-- Raises the epoch of an owner in place, when the newest manifest carries the present one already.
UPDATE outbox_shards SET epoch = epoch + 1 WHERE shard = $1 AND owner = $2 AND epoch = $3 RETURNING epoch;

-- statement: outbox_stop_shard
-- Notes why shard $1 stands still, or that it does not any more ($4 is empty).
UPDATE outbox_shards SET stopped = nullif($4, '') WHERE shard = $1 AND owner = $2 AND epoch = $3;

-- statement: outbox_why_stopped
-- Reads why shard $1 stands still, if it does.
SELECT stopped FROM outbox_shards WHERE shard = $1 AND owner = $2 AND epoch = $3;

-- statement: outbox_peek
-- Looks without a lock whether there are rows to claim, in how many milliseconds the first row that waits is
-- due, and whether a key is blocked that may be freed. $1 are the buckets, $2 the topics that are left out,
-- $3 the numbers above which each bucket is looked at.
SELECT EXISTS
       (SELECT 1
          FROM unnest($1::smallint[], $3::bigint[]) AS b(bucket, floor)
          CROSS JOIN LATERAL
               (SELECT 1
                  FROM outbox_events AS o
                 WHERE o.bucket = b.bucket
                   AND o.seq > b.floor
                   AND {unclaimed}
                   AND o.topic <> ALL ($2::text[])
                   AND NOT {blocked}
                 ORDER BY o.seq
                 LIMIT 1) AS found),
       (SELECT ceil(extract(epoch FROM min(due.at) - clock_timestamp()) * 1000)::bigint
          FROM unnest($1::smallint[]) AS b(bucket)
          CROSS JOIN LATERAL
               (SELECT o.next_attempt_at
                  FROM outbox_events AS o
                 WHERE o.bucket = b.bucket
                   AND {awaits_retry}
                   AND o.topic <> ALL ($2::text[])
                   AND NOT {follows_waiting($2)}
                 ORDER BY o.next_attempt_at
                 LIMIT 1) AS due(at)),
       EXISTS
       (SELECT 1 FROM outbox_blocked_keys AS k WHERE k.bucket = ANY ($1::smallint[]) AND NOT {failed_blocks});

-- statement: outbox_lock_doorbell
-- Tries to take the doorbell's locks of a shard's buckets; from then on writers ring.
SELECT b.bucket, pg_try_advisory_lock({doorbell_lock(b.bucket)}) FROM unnest($1::integer[]) AS b(bucket);

-- statement: outbox_unlock_doorbell
-- Gives the doorbell's locks back.
SELECT count(pg_advisory_unlock({doorbell_lock(b.bucket)})) FROM unnest($1::integer[]) AS b(bucket);

-- statement: outbox_settle_ready
-- Settles rows that manifests name and that wait for nothing. A join would read all ready rows once for each of
-- them where the table has no statistics yet, as after its first burst.
{settle}
  FROM (SELECT r.id FROM unnest($1::smallint[], $2::bigint[]) AS n(bucket, seq) {ready_numbered}) AS m
 WHERE o.id = m.id
   AND {still_unsent}
 RETURNING o.seq, o.id;

-- statement: outbox_settle_waiting
-- Settles rows that manifests name and that wait.
{settle}
 WHERE o.bucket = ANY ($1::smallint[])
   AND {among(o.seq, $2)}
   AND {waiting(o)}
 RETURNING o.seq, o.id;

-- statement: outbox_delete_manifested_ready
-- Deletes rows that manifests name and that wait for nothing, where events that are sent are not kept.
DELETE FROM outbox_events AS o
 USING (SELECT r.id FROM unnest($1::smallint[], $2::bigint[]) AS n(bucket, seq) {ready_numbered}) AS m
 WHERE o.id = m.id
   AND {still_unsent}
 RETURNING o.seq, o.id;

-- statement: outbox_delete_manifested_waiting
-- Deletes rows that manifests name and that wait, where events that are sent are not kept.
DELETE FROM outbox_events AS o
 WHERE o.bucket = ANY ($1::smallint[])
   AND {among(o.seq, $2)}
   AND {waiting(o)}
 RETURNING o.seq, o.id;

-- statement: outbox_find_manifested
-- Finds the rows of buckets $1 that have the numbers in manifests, in any state: what was sent already is there as
-- well. No index finds a row of any state by its number, so the table is read once, where the numbers may be.
SELECT o.seq, o.id
  FROM outbox_events AS o
 WHERE o.bucket = ANY ($1::smallint[])
   AND o.seq BETWEEN (SELECT min(m.seq) FROM unnest($2::bigint[]) AS m(seq))
                 AND (SELECT max(m.seq) FROM unnest($2::bigint[]) AS m(seq))
   AND {among(o.seq, $2)};

-- statement: outbox_find_ready
-- Finds those rows that manifests name, that are not settled and wait for nothing.
SELECT r.seq, r.id FROM unnest($1::smallint[], $2::bigint[]) AS n(bucket, seq) {ready_numbered};

-- statement: outbox_find_waiting
-- Finds those rows that manifests name, that are not settled and wait.
SELECT o.seq, o.id
  FROM outbox_events AS o
 WHERE o.bucket = ANY ($1::smallint[])
   AND {among(o.seq, $2)}
   AND {waiting(o)};

-- statement: outbox_block_failed
-- Rows that recovery found to be FAILED block their keys.
INSERT INTO outbox_blocked_keys (bucket, key, failed_seq)
SELECT DISTINCT ON (o.bucket, {key(o)}) o.bucket, {key(o)}, o.seq
  FROM outbox_events AS o
 WHERE o.bucket = ANY ($1::smallint[])
   AND {among(o.seq, $2)}
   AND o.failed
 ORDER BY 1, 2, 3 DESC
{keep_failed_seq};

-- statement: outbox_reset_ready
-- Rows that were claimed and that no manifest names go back to where claims find them.
UPDATE outbox_events AS o
   SET {back_to_new}
 WHERE o.bucket = ANY ($1::smallint[])
   AND o.seq <= (SELECT claimed_seq FROM outbox_shards WHERE shard = $2)
   AND {state(o)} IN ({recovery_to_new})
   AND {ready(o)};

-- statement: outbox_reset_waiting
-- The same for rows that wait.
UPDATE outbox_events AS o
   SET status = 'NEW'
 WHERE o.bucket = ANY ($1::smallint[])
   AND {state(o)} IN ({recovery_to_new})
   AND {waiting(o)};

-- statement: outbox_hasten_retries
-- Rows that wait for too long become due. Waits end within a minute; what is due later was planned by a
-- server whose clock was ahead.
UPDATE outbox_events AS o
   SET next_attempt_at = clock_timestamp()
 WHERE o.bucket = ANY ($1::smallint[])
   AND {awaits_retry}
   AND o.retry_count > 0
   AND o.next_attempt_at > clock_timestamp() + interval '2 minutes';

-- statement: outbox_block_waiting_keys
-- Blocks the keys of all rows that wait, as they have to be from the beginning of an ownership.
INSERT INTO outbox_blocked_keys (bucket, key)
SELECT DISTINCT o.bucket, {key(o)}
  FROM outbox_events AS o
 WHERE o.bucket = ANY ($1::smallint[])
   AND {waiting(o)}
 ON CONFLICT DO NOTHING;

-- statement: outbox_settle_mark
-- Notes up to which batch the rows of shard $1 are durably marked, as recovery found it, and under which slot its
-- events are sent from now on.
UPDATE outbox_shards SET marked_batch = $2, marked_offset = $3, slot = $4, slot_epoch = $5 WHERE shard = $1;

-- statement: outbox_lock_shard_alone
-- Takes the lock of a shard in exclusive mode, until the end of the transaction.
-- place shard: 0
SELECT pg_advisory_xact_lock({shard_lock({shard})});

-- statement: outbox_forget_blocked_keys
-- Forgets which keys are blocked. Only the tests' programs can do so, to show what comes of it.
DELETE FROM outbox_blocked_keys;
