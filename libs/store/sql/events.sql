-- outbox-relay retry and skip.

-- statement: outbox_choose_failed
-- Chooses FAILED events by their type and by the time since which they are. For an event that was given up
-- by an older relay no time is known but that of its making.
SELECT o.id, o.bucket
  FROM outbox_events AS o
 WHERE o.failed
   AND ($1::text IS NULL OR o.event_type = $1)
   AND ($2::timestamptz IS NULL OR coalesce(o.processed_at, o.created_at) >= $2)
 ORDER BY o.seq;

-- statement: outbox_choose_unsent
-- Chooses the unsent events of type $1.
SELECT o.id, o.bucket
  FROM outbox_events AS o
 WHERE {ready(o)}
   AND o.event_type = $1
UNION ALL
SELECT o.id, o.bucket
  FROM outbox_events AS o
 WHERE {waiting(o)}
   AND o.event_type = $1;

-- statement: outbox_find_event
-- Finds the event of id $1 and its state.
SELECT o.id, o.bucket, {state(o)} FROM outbox_events AS o WHERE o.id = $1;

-- statement: outbox_find_overtaken
-- Finds those of the events that a later event of their key has overtaken. There is no index on the keys of
-- events that are sent, so this is one walk over all that came after the first of the chosen ones, with the few
-- keys in a hash.
WITH chosen AS MATERIALIZED
    (SELECT o.id, o.bucket, {key(o)} AS key, o.seq FROM outbox_events AS o WHERE o.id = ANY ($1::uuid[])),
newest AS
    (SELECT o.bucket, {key(o)} AS key, max(o.seq) AS seq
       FROM outbox_events AS o
      WHERE (o.bucket, {key(o)}) IN (SELECT bucket, key FROM chosen)
        AND o.seq > (SELECT min(seq) FROM chosen)
        AND o.status IN ('SENT', 'PROCESSING')
      GROUP BY 1, 2)
SELECT c.id
  FROM chosen AS c
  JOIN newest AS n ON n.bucket = c.bucket AND n.key = c.key AND n.seq > c.seq;

-- statement: outbox_find_perhaps_overtaken
-- Finds those of the events of which a later one of their key may have been sent and deleted: unless their key
-- waits for them.
SELECT o.id
  FROM outbox_events AS o
 WHERE o.id = ANY ($1::uuid[])
   AND NOT EXISTS (SELECT 1
                     FROM outbox_blocked_keys AS k
                    WHERE k.bucket = o.bucket
                      AND k.key = {key(o)}
                      AND k.failed_seq IS NOT NULL
                      AND k.failed_seq <= o.seq)
   AND EXISTS (SELECT 1 FROM outbox_meta AS m WHERE m.sent_deleted_since IS NOT NULL);

-- statement: outbox_shard_count
-- Reads over how many shards the buckets are spread, for the verbs that change events.
SELECT coalesce(shard_count, 1) FROM outbox_meta;

-- statement: outbox_is_quiet
-- Finds out whether shard $1 is paused and has nothing in flight.
SELECT 1 FROM outbox_shards WHERE shard = $1 AND quiet_epoch = epoch;

-- statement: outbox_retry
-- FAILED events become NEW with all their attempts, or wait with the other rows of their key.
UPDATE outbox_events AS o
   SET {back_to_new}, retry_count = 0, error_message = NULL, processed_at = NULL
 WHERE o.id = ANY ($1::uuid[])
   AND {state(o)} IN ({retry_to_new})
 RETURNING o.bucket;

-- statement: outbox_skip
-- FAILED events, and those that are not in flight, become SKIPPED. A row that waits is never in flight: the
-- claim that takes it also ends its waiting. With $3 rows are skipped that may be in flight.
UPDATE outbox_events AS o
   SET status = 'SKIPPED', processed_at = clock_timestamp(), next_attempt_at = NULL,
       error_message = 'skipped: ' || $2 || coalesce(' (' || o.error_message || ')', '')
 WHERE o.id = ANY ($1::uuid[])
   AND {state(o)} IN ({skip_to_skipped})
   AND ($3::boolean OR {state(o)} = 'FAILED' OR {state(o)} = 'NEW' AND o.next_attempt_at IS NOT NULL)
 RETURNING o.bucket;

-- statement: outbox_count_unsent
-- Counts those of the events that are still unsent.
SELECT count(*) FROM outbox_events AS o WHERE o.id = ANY ($1::uuid[]) AND {still_unsent};

-- statement: outbox_ring
-- Rings for the buckets in which events became ready.
SELECT pg_notify({channel}, b.bucket)
  FROM unnest($1::text[]) AS b(bucket)
 WHERE pg_notification_queue_usage() <= 0.5;

-- statement: outbox_forget_refusals
-- Makes relays forget what they remember of topics that they could not send to: it must not fail the event
-- again.
{ring('topics')};

-- statement: outbox_look_again
-- Makes relays that walk past parked events begin at the head again.
{ring('again')};
