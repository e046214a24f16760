-- What a relay writes about a shard behind the shard's lock: claims, marks, failed attempts.

-- fragment: claimable(columns)
-- The rows that a claim may take, oldest first in each bucket, from one snapshot for the whole claim: a row
-- that commits later with a smaller seq waits for the next claim, and so do the later rows of its key. Most
-- buckets have no blocked key, so rows are compared with blocked keys only where there is one. $1 are the
-- buckets, $2 the numbers of rows in flight, $3 the topics that are left out, $4 the numbers above which
-- each bucket is looked at.
SELECT {columns}
  FROM (SELECT u.bucket, u.floor,
               EXISTS (SELECT 1 FROM outbox_blocked_keys AS k WHERE k.bucket = u.bucket) AS has_blocked
          FROM unnest($1::smallint[], $4::bigint[]) AS u(bucket, floor) OFFSET 0) AS b
  CROSS JOIN LATERAL
       (SELECT o.ctid, o.*
          FROM outbox_events AS o
         WHERE o.bucket = b.bucket
           AND o.seq > b.floor
           AND {unclaimed}
           AND o.seq <> ALL ($2::bigint[])
           AND o.topic <> ALL ($3::text[])
           AND NOT (b.has_blocked AND {blocked})
         ORDER BY o.seq) AS o

-- fragment: table_file
-- The file of outbox_events. The places (ctid) of rows are places in it.
coalesce(pg_relation_filenode('outbox_events'::regclass)::bigint, 0)

-- statement: outbox_claim_some
-- Chooses up to $5 rows to claim.
{claimable({columns})} LIMIT $5;

-- statement: outbox_claim_one
-- Chooses one row to claim, and leaves its content to be read by itself.
{claimable({bare_columns})} LIMIT $5;

-- statement: outbox_choose_ready
-- Names the rows that a claim chose, without reading what they hold: one of them made it fail.
{claimable({identity})} LIMIT $5;

-- statement: outbox_open_claim
-- Opens the cursor that a claim of many rows fetches from, so that one snapshot serves all of it.
DECLARE outbox_claim NO SCROLL CURSOR FOR {claimable({columns})};

-- statement: outbox_close_claim
-- Ends a large claim.
CLOSE outbox_claim;

-- statement: outbox_to_processing
-- Marks claimed rows as being sent, and tells where they stand from now on. Rows that somebody has changed
-- since the claim stay as they are.
UPDATE outbox_events AS o
   SET status = 'PROCESSING'
 WHERE o.ctid = ANY ($1::tid[])
   AND {state(o)} IN ({relay_to_processing})
 RETURNING o.seq, o.ctid;

-- statement: outbox_mark_sent
-- Rows whose transaction is committed in Kafka become SENT, found by their places. The file of the table has
-- to be $5: after a TRUNCATE other events may have the same places and numbers. What triggers left of the
-- update is what RETURNING has; how many rows were "affected" says less.
WITH done AS
    (UPDATE outbox_events AS o
        SET status = 'SENT',
            processed_at = clock_timestamp(),
            kafka_partition = m.partition,
            kafka_offset = m.kafka_offset,
            next_attempt_at = NULL,
            error_message = NULL
       FROM unnest($1::tid[], $2::bigint[], $3::integer[], $4::bigint[])
            AS m(tid, seq, partition, kafka_offset)
      WHERE o.ctid = m.tid AND o.seq = m.seq AND {state(o)} IN ({relay_to_sent}) AND {table_file} = $5::bigint
     RETURNING o.status)
SELECT count(*) FROM done WHERE status = 'SENT';

-- statement: outbox_mark_moved
-- The same for rows that somebody changed while they were at the broker, perhaps their key, or whose table
-- was rewritten: they are found by their ids.
WITH done AS
    (UPDATE outbox_events AS o
        SET status = 'SENT',
            processed_at = clock_timestamp(),
            kafka_partition = m.partition,
            kafka_offset = m.kafka_offset,
            next_attempt_at = NULL,
            error_message = NULL
       FROM unnest($1::uuid[], $2::bigint[], $3::integer[], $4::bigint[])
            AS m(id, seq, partition, kafka_offset)
      WHERE o.id = m.id AND o.seq = m.seq AND {state(o)} IN ({relay_to_sent})
     RETURNING o.status)
SELECT count(*) FROM done WHERE status = 'SENT';

-- statement: outbox_delete_sent
-- The same where events that are sent are not kept: their rows go.
WITH done AS
    (DELETE FROM outbox_events AS o
      USING unnest($1::tid[], $2::bigint[]) AS m(tid, seq)
      WHERE o.ctid = m.tid AND o.seq = m.seq AND {state(o)} IN ({relay_to_sent}) AND {table_file} = $3::bigint
     RETURNING o.seq)
SELECT count(*) FROM done;

-- statement: outbox_delete_moved
-- The same for rows that somebody changed meanwhile.
WITH done AS
    (DELETE FROM outbox_events AS o
      USING unnest($1::uuid[], $2::bigint[]) AS m(id, seq)
      WHERE o.id = m.id AND o.seq = m.seq AND {state(o)} IN ({relay_to_sent})
     RETURNING o.seq)
SELECT count(*) FROM done;

-- statement: outbox_move_claimed
-- Notes the greatest number ($2) that each of shards $1 has claimed. Recovery looks for rows that are
-- PROCESSING up to it.
UPDATE outbox_shards AS s
   SET claimed_seq = m.seq
  FROM unnest($1::integer[], $2::bigint[]) AS m(shard, seq)
 WHERE s.shard = m.shard
   AND s.claimed_seq < m.seq;

-- statement: outbox_move_mark
-- Notes up to which batch ($2), whose manifest stands at which offset ($3), the rows of each of shards $1 are
-- durably marked.
UPDATE outbox_shards AS s
   SET marked_batch = m.batch, marked_offset = m.place, marked_at = clock_timestamp()
  FROM unnest($1::integer[], $2::bigint[], $3::bigint[]) AS m(shard, batch, place)
 WHERE s.shard = m.shard;

-- statement: outbox_write_quiet
-- Notes that shard $1 is paused and has nothing in flight, or that it claims again.
UPDATE outbox_shards SET quiet_epoch = CASE WHEN $2::boolean THEN epoch END WHERE shard = $1;

-- statement: outbox_fail_attempts
-- Notes attempts that failed. A row that is given up becomes FAILED, another one waits, and blocks its key
-- meanwhile. Rows are found by id, which stays when somebody else's change moves a row.
WITH failed AS
    (UPDATE outbox_events AS o
        SET status = CASE WHEN m.give_up THEN 'FAILED' ELSE 'NEW' END,
            retry_count = m.retry_count,
            error_message = m.error,
            next_attempt_at = CASE WHEN NOT m.give_up
                              THEN clock_timestamp() + m.wait_ms * interval '1 millisecond' END,
            processed_at = CASE WHEN m.give_up THEN clock_timestamp() END
       FROM unnest($1::uuid[], $2::integer[], $3::boolean[], $4::bigint[], $5::text[], $6::boolean[])
            AS m(id, retry_count, give_up, wait_ms, error, block_key)
      WHERE o.id = m.id
        AND {state(o)} IN ({relay_to_failed})
     RETURNING o.bucket, {key(o)} AS key, o.seq, m.give_up, m.block_key)
INSERT INTO outbox_blocked_keys (bucket, key, failed_seq)
SELECT bucket, key, CASE WHEN give_up THEN seq END FROM failed WHERE NOT give_up OR block_key
{keep_failed_seq};

-- statement: outbox_to_skipped
-- Claimed rows that shall not be sent become SKIPPED, with the reason ($3, in the order of their numbers).
UPDATE outbox_events AS o
   SET status = 'SKIPPED', processed_at = clock_timestamp(), error_message = m.reason
  FROM (SELECT r.id, n.reason
          FROM unnest($1::smallint[], $2::bigint[], $3::text[]) AS n(bucket, seq, reason) {ready_numbered}) AS m
 WHERE o.id = m.id
   AND {still_unsent};

-- statement: outbox_to_new
-- Rows that were claimed and will not be sent now go back to where claims find them.
UPDATE outbox_events AS o SET {back_to_new} WHERE o.id = ANY ($1::uuid[]) AND {state(o)} IN ({relay_to_new});

-- statement: outbox_to_due
-- Claimed rows wait, due at once, and block their keys: they are taken one by one from then on.
WITH waiting AS
    (UPDATE outbox_events AS o
        SET status = 'NEW', next_attempt_at = clock_timestamp()
      WHERE o.id = ANY ($1::uuid[])
        AND {still_unsent}
     RETURNING o.bucket, {key(o)} AS key)
INSERT INTO outbox_blocked_keys (bucket, key)
SELECT DISTINCT bucket, key FROM waiting
 ON CONFLICT DO NOTHING;

-- statement: outbox_choose_these
-- Names claimed rows whose large content could not be read.
SELECT {identity} FROM outbox_events AS o WHERE o.ctid = ANY ($1::tid[]);

-- statement: outbox_read_content
-- Reads the content of claimed rows, as add_content() takes it.
SELECT o.seq, {content} FROM outbox_events AS o WHERE o.ctid = ANY ($1::tid[]);

-- statement: outbox_log_claim
-- Leaves a record in the log, so that the commit makes everything durable that the claim could see.
SELECT pg_logical_emit_message(true, 'outbox', '');

-- statement: outbox_lock_some_shards
-- Takes the locks of shards $1 in shared mode, in their order, until the end of the transaction. Whoever
-- takes more than one does so by number: nobody waits in a circle.
SELECT pg_advisory_xact_lock_shared({shard_lock(n.shard)}) FROM unnest($1::integer[]) AS n(shard);

-- statement: outbox_check_owner
-- Counts the shards of $1 that relay $3 owns under their epochs ($2), and tells in which file the rows stand.
-- It is a statement of its own behind the locks, so that it sees what was committed before they were got.
SELECT count(*), {table_file}
  FROM outbox_shards AS s
  JOIN unnest($1::integer[], $2::bigint[]) AS n(shard, epoch) ON n.shard = s.shard AND n.epoch = s.epoch
 WHERE s.owner = $3;

-- statement: outbox_fetch
-- Fetches the next rows of a large claim. The number of rows cannot be a parameter; the name of the prepared
-- statement has it as well.
-- place rows: 100
FETCH {rows} FROM outbox_claim;
