-- Rows that somebody else has put where no claim looks.

-- fragment: ready_strays
-- Rows that wait for nothing and are PROCESSING although nobody sends them: somebody has set them so by
-- hand. $1 are the buckets, $2 the numbers above which each is looked at, $3 the numbers of rows in flight,
-- $4 how many rows of each bucket are looked at.
FROM unnest($1::smallint[], $2::bigint[]) AS b(bucket, floor)
  CROSS JOIN LATERAL
       (SELECT r.ctid, r.seq, r.status
          FROM outbox_events AS r
         WHERE r.bucket = b.bucket
           AND r.seq > b.floor
           AND {ready(r)}
         ORDER BY r.seq
         LIMIT $4) AS s
 WHERE s.status = 'PROCESSING'
   AND NOT ({among(s.seq, $3)})

-- fragment: waiting_of_buckets
-- Rows that wait, with the same parameters.
FROM unnest($1::smallint[], $2::bigint[]) AS b(bucket, floor)
  CROSS JOIN LATERAL
       (SELECT r.ctid, r.bucket, {key(r)} AS key, r.seq, r.status, r.next_attempt_at AS at
          FROM outbox_events AS r
         WHERE r.bucket = b.bucket
           AND r.seq > b.floor
           AND {waiting(r)}
         LIMIT $4) AS s
 WHERE NOT ({among(s.seq, $3)})

-- fragment: waiting_strays
-- Rows that wait and are PROCESSING although nobody sends them.
{waiting_of_buckets} AND s.status = 'PROCESSING'

-- fragment: held_strays
-- Rows that are held aside although their key is not blocked: they are looked for by the blocked keys alone.
{waiting_of_buckets}
AND s.at = 'infinity'
AND NOT EXISTS (SELECT 1 FROM outbox_blocked_keys AS k WHERE k.bucket = s.bucket AND k.key = s.key)

-- statement: outbox_find_strays
-- Looks without a lock whether there are rows of these three kinds.
SELECT EXISTS (SELECT 1 {ready_strays})
       OR EXISTS (SELECT 1 {waiting_strays})
       OR EXISTS (SELECT 1 {held_strays});

-- statement: outbox_free_strays
-- Rows that wait for nothing and that nobody sends go back to where claims find them.
UPDATE outbox_events AS o
   SET {back_to_new}
 WHERE o.ctid = ANY (ARRAY(SELECT s.ctid {ready_strays}))
   AND {state(o)} IN ({relay_to_new});

-- statement: outbox_free_waiting_strays
-- Rows that wait and that nobody sends are NEW again.
UPDATE outbox_events AS o
   SET status = 'NEW'
 WHERE o.ctid = ANY (ARRAY(SELECT s.ctid {waiting_strays}))
   AND {state(o)} IN ({relay_to_new});

-- statement: outbox_block_strays
-- Blocks the keys of rows that are held aside, so that they are found.
INSERT INTO outbox_blocked_keys (bucket, key)
SELECT DISTINCT s.bucket, s.key
{held_strays}
 ON CONFLICT DO NOTHING;
