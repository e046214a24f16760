-- A trigger of the user's own may cancel an update, or undo what it says, without an error. These look for
-- rows that are as they were.

-- statement: outbox_find_culprits
-- Names the ordinary triggers that see a row of outbox_events before it is updated or deleted, ours left out,
-- and the statements that drop them.
SELECT string_agg(quote_ident(t.tgname), ', ' ORDER BY t.tgname),
       string_agg(format('DROP TRIGGER %I ON %s;', t.tgname, t.tgrelid::regclass), ' ' ORDER BY t.tgname)
  FROM pg_trigger AS t
 WHERE t.tgrelid = to_regclass('outbox_events')
   AND NOT t.tgisinternal
   AND t.tgenabled <> 'D'
   AND t.tgtype & 3 = 3
   AND t.tgtype & 24 <> 0
   AND t.tgname NOT IN ('outbox_refuse_change');

-- statement: outbox_find_still_unsent
-- Finds one of the rows that were to become SENT and did not.
SELECT o.id
  FROM unnest($1::uuid[], $2::bigint[]) AS m(id, seq)
  JOIN outbox_events AS o ON o.id = m.id AND o.seq = m.seq
 WHERE {still_unsent}
 LIMIT 1;

-- statement: outbox_find_not_failed
-- Finds one of the rows of which a failed attempt was to be noted and was not. $2 says whether it was to
-- become FAILED.
SELECT o.id
  FROM unnest($1::uuid[], $2::boolean[]) AS m(id, given_up)
  JOIN outbox_events AS o ON o.id = m.id
 WHERE o.status = 'PROCESSING'
    OR (m.given_up AND {still_unsent})
 LIMIT 1;

-- statement: outbox_find_processing
-- Finds one of the rows that were to be NEW again and are not.
SELECT o.id FROM outbox_events AS o WHERE o.id = ANY ($1::uuid[]) AND o.status = 'PROCESSING' LIMIT 1;

-- statement: outbox_find_as_claimed
-- Finds one of the claimed rows that were to become PROCESSING and did not, although nobody changed them.
SELECT o.id
  FROM unnest($1::uuid[], $2::tid[]) AS m(id, tid)
  JOIN outbox_events AS o ON o.id = m.id AND o.ctid = m.tid
 WHERE {state(o)} IN ({relay_to_processing})
 LIMIT 1;

-- statement: outbox_find_unsettled_ready
-- Finds a row that recovery was to settle and did not, among those that wait for nothing.
SELECT r.id FROM unnest($1::smallint[], $2::bigint[]) AS n(bucket, seq) {ready_numbered} LIMIT 1;

-- statement: outbox_find_unsettled_waiting
-- Finds a row that recovery was to settle and did not, among those that wait.
SELECT o.id
  FROM outbox_events AS o
 WHERE o.bucket = ANY ($1::smallint[])
   AND {among(o.seq, $2)}
   AND {waiting(o)}
 LIMIT 1;
