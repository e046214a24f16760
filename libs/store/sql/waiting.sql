-- Keys of which a row waits. Their later rows are held aside, and come back in order when it waits no more.

-- fragment: waiting_of_key
-- Row o waits, and is of key k.
o.bucket = k.bucket AND {key(o)} = k.key AND {waiting(o)}

-- fragment: given_key
-- The key that is parameter $2. It comes as the hex of its bytes: as text it may have no form in UTF-8, and
-- then it could not be read. Its collation would be that of the encoding's name, with which no index of the
-- column's can be used.
(convert_from(decode($2::text, 'hex'), getdatabaseencoding()) COLLATE "default")

-- fragment: due_row
-- The place of the row that has been due longest, in buckets $1, with the topics $2 left out.
(SELECT due.ctid
   FROM unnest($1::smallint[]) AS b(bucket)
   CROSS JOIN LATERAL
        (SELECT o.ctid, o.next_attempt_at
           FROM outbox_events AS o
          WHERE o.bucket = b.bucket
            AND {awaits_retry}
            AND {state(o)} IN ({relay_to_processing})
            AND o.next_attempt_at <= clock_timestamp()
            AND o.topic <> ALL ($2::text[])
            AND NOT {follows_waiting($2)}
          ORDER BY o.next_attempt_at
          LIMIT 1) AS due
  ORDER BY due.next_attempt_at
  LIMIT 1)

-- fragment: held_rows
-- The places of up to $4 rows of key $2 in bucket $1 that are held aside, up to the first one that waits for
-- a retry. Topics $3 are left out.
ANY (ARRAY(
     SELECT free.ctid
       FROM (SELECT held.ctid, bool_and(held.at = 'infinity') OVER (ORDER BY held.seq) AS now
               FROM (SELECT $1::smallint, {given_key}) AS k(bucket, key)
               CROSS JOIN LATERAL
                    (SELECT o.ctid, o.seq, o.next_attempt_at
                       FROM outbox_events AS o
                      WHERE {waiting_of_key}
                        AND (o.next_attempt_at < 'infinity' OR o.topic <> ALL ($3::text[]))
                      ORDER BY o.seq
                      LIMIT $4) AS held(ctid, seq, at)) AS free
      WHERE free.now))

-- statement: outbox_take_due
-- Claims the row that has been due longest. It becomes a ready row: should the relay die now, it is found
-- like any other.
UPDATE outbox_events AS o
   SET status = 'PROCESSING', next_attempt_at = NULL
 WHERE o.ctid = {due_row}
   AND {still_unsent}
 RETURNING {bare_columns};

-- statement: outbox_choose_due
-- Names the row that the statement above chose, without reading what it holds.
SELECT {identity} FROM outbox_events AS o WHERE o.ctid = {due_row};

-- statement: outbox_take_held
-- Claims rows of a key that were held aside, unless the key waits for an operator.
UPDATE outbox_events AS o
   SET status = 'PROCESSING', next_attempt_at = NULL
 WHERE o.ctid = {held_rows}
   AND {still_unsent}
   AND NOT EXISTS
       (SELECT 1
          FROM outbox_blocked_keys AS k
         WHERE k.bucket = $1
           AND k.key = {given_key}
           AND {failed_blocks})
 RETURNING {columns};

-- statement: outbox_choose_held
-- Names the rows that the statement above chose, without reading what they hold.
SELECT {identity} FROM outbox_events AS o WHERE o.ctid = {held_rows};

-- statement: outbox_unblock
-- Unblocks key $2 of bucket $1 if no row of it waits and it does not wait for an operator.
DELETE FROM outbox_blocked_keys AS k
 WHERE k.bucket = $1
   AND k.key = {given_key}
   AND NOT {failed_blocks}
   AND NOT EXISTS (SELECT 1 FROM outbox_events AS o WHERE {waiting_of_key});

-- statement: outbox_unblock_all
-- Unblocks the keys of bucket $1 of which no row waits.
DELETE FROM outbox_blocked_keys AS k
 WHERE k.bucket = $1
   AND NOT {failed_blocks}
   AND NOT EXISTS (SELECT 1 FROM outbox_events AS o WHERE {waiting_of_key});

-- statement: outbox_find_free
-- Finds keys of bucket $1 whose oldest waiting row is held aside although none before it waits any more.
SELECT encode(convert_to(k.key, getdatabaseencoding()), 'hex')
  FROM outbox_blocked_keys AS k
 WHERE k.bucket = $1
   AND NOT {failed_blocks}
   AND (SELECT o.next_attempt_at FROM outbox_events AS o WHERE {waiting_of_key} ORDER BY o.seq LIMIT 1) = 'infinity'
 LIMIT 1000;

-- statement: outbox_waiting_buckets
-- Finds the buckets in which rows wait or keys are blocked.
SELECT b.bucket
  FROM unnest($1::smallint[]) AS b(bucket)
 WHERE EXISTS (SELECT 1 FROM outbox_blocked_keys AS k WHERE k.bucket = b.bucket)
    OR EXISTS (SELECT 1 FROM outbox_events AS o WHERE o.bucket = b.bucket AND {waiting(o)});

-- statement: outbox_hold
-- Holds ready rows of bucket $1 aside whose key is blocked, except for rows in flight ($2), at most $3.
UPDATE outbox_events AS o
   SET next_attempt_at = 'infinity'
 WHERE o.ctid = ANY (ARRAY(
       SELECT o.ctid
         FROM outbox_events AS o
        WHERE o.bucket = $1
          AND {unclaimed}
          AND NOT ({among(o.seq, $2)})
          AND {blocked}
        ORDER BY o.seq
        LIMIT $3))
   AND {state(o)} = 'NEW';
