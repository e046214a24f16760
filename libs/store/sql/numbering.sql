-- Whether the identity that numbers the events stands where it has to.

-- fragment: identity_name
-- The sequence that numbers the events.
pg_get_serial_sequence('outbox_events', 'seq')::regclass

-- fragment: identity_at
-- The last number that it gave out.
(SELECT coalesce(pg_sequence_last_value({identity_name}), 0))

-- fragment: identity_end
-- The number behind which the last thousandth of the numbers begins.
(SELECT s.seqmax - s.seqmax / 1000 FROM pg_sequence AS s WHERE s.seqrelid = {identity_name})

-- fragment: newest_of_buckets(which)
-- The greatest number that is not near the end, among rows of one kind; each bucket is one look into an
-- index.
(SELECT max(newest.seq)
   FROM generate_series(0, {last_bucket}) AS b(bucket)
   CROSS JOIN LATERAL
        (SELECT o.seq
           FROM outbox_events AS o
          WHERE o.bucket = b.bucket
            AND {which}
            AND o.seq <= {identity_end}
          ORDER BY o.seq DESC
          LIMIT 1) AS newest)

-- fragment: at_the_end_of(which)
-- Rows of one kind that were numbered near the end.
SELECT o.id, o.seq
  FROM generate_series(0, {last_bucket}) AS b(bucket)
  CROSS JOIN LATERAL
       (SELECT o.id, o.seq
          FROM outbox_events AS o
         WHERE o.bucket = b.bucket
           AND {which}
           AND o.seq > {identity_end}
         LIMIT 1) AS o

-- statement: outbox_newest_above
-- Reads the greatest number in the table that the identity has not reached. The summaries of the index
-- outbox_events_seq leave only pages to read that may hold such a number.
SELECT max(o.seq) FROM outbox_events AS o WHERE o.seq > {identity_at} AND o.seq <= {identity_end};

-- statement: outbox_newest_unsent_above
-- The same, of what indexes lead to: unsent and FAILED rows, and what shards have claimed.
SELECT nullif(greatest(n.seq, {identity_at}), {identity_at})
  FROM (SELECT greatest({newest_of_buckets({ready(o)})},
                        {newest_of_buckets(o.failed)},
                        (SELECT max(claimed_seq) FROM outbox_shards WHERE claimed_seq <= {identity_end})) AS seq)
       AS n;

-- statement: outbox_at_the_end
-- Finds an event, unsent or FAILED, that was numbered near the end of the numbers.
({at_the_end_of({ready(o)})}) UNION ALL ({at_the_end_of(o.failed)}) LIMIT 1;

-- statement: outbox_move_identity
-- Moves the identity past number $1, if it stands below and the number is not near the end.
SELECT setval(s.name, $1)
  FROM (SELECT {identity_name} AS name) AS s
 WHERE coalesce(pg_sequence_last_value(s.name), 0) < $1
   AND $1 <= {identity_end};
