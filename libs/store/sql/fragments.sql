-- What several statements have in common: locks, states of rows, columns.

-- fragment: schema_id
-- The number of the schema that this outbox stands in. Names that belong to this outbox alone, of the
-- several that one database may hold, are made of it. migrations/outbox/0011_own_names.up.sql has the same
-- for the doorbell.
(SELECT quote_ident(current_schema())::regnamespace::oid::integer)

-- fragment: lock(kind, number)
-- Both keys of an advisory lock of this outbox: the schema, and a number of up to 28 bits in one of the
-- classes below.
{schema_id}, ({kind} << 28) + ({number})

-- fragment: doorbell_class
-- The class of the doorbell's locks. The doorbell's trigger has the number too.
1

-- fragment: shard_class
-- The class of the shards' locks.
2

-- fragment: relay_class
-- The class of the relays' locks.
3

-- fragment: backfill_class
-- The class of the locks of runs of outbox-backfill.
4

-- fragment: registration_class
-- The class of the locks of runs that are being registered.
5

-- fragment: doorbell_lock(bucket)
-- This lock is held by a relay that sleeps, for each bucket of its shard. A writer that finds it
-- taken rings.
{lock({doorbell_class}, {bucket})}

-- fragment: shard_lock(shard)
-- This lock is taken in shared mode by whoever writes about a shard under an ownership, and in
-- exclusive mode by whoever changes the ownership.
{lock({shard_class}, {shard})}

-- fragment: relay_lock(lock_key)
-- This lock is held by a relay's session while it lives. Its number is outbox_relays.lock_key.
{lock({relay_class}, {lock_key})}

-- fragment: backfill_lock(lock_key)
-- This lock is held by a run of outbox-backfill that is under way. Its number is
-- outbox_backfills.lock_key.
{lock({backfill_class}, {lock_key})}

-- fragment: registration_lock(hash)
-- This lock keeps two commands from registering the same run of outbox-backfill. Its number is a
-- hash of what such a run is found by.
{lock({registration_class}, {hash})}

-- fragment: holds_lock(kind, number)
-- Somebody holds the advisory lock of this class and number, where l is a row of pg_locks.
l.locktype = 'advisory'
AND l.classid = {schema_id}::oid
AND l.objid = (({kind} << 28) + {number})::oid
AND l.objsubid = 2
AND l.granted
AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())

-- fragment: channel
-- The name of the channel that the doorbell rings on. Its payload is the number of a bucket, or 'members'
-- (who is there, or what is paused, has changed), or 'topics' (what a topic was refused for is mended), or
-- 'again' (old events have become ready).
'outbox_doorbell_' || {schema_id}

-- fragment: ring(payload)
-- Rings with a payload, unless somebody else has filled half of the server's queue of notifications: whose
-- queue is full cannot commit.
SELECT pg_notify({channel}, {payload}) WHERE pg_notification_queue_usage() <= 0.5

-- fragment: state(t)
-- The state of row t. Who may change it to what stands in outbox/store/transitions.hpp; fragments such as
-- relay_to_sent are the states from which it does so.
coalesce({t}.status, 'NEW')

-- fragment: unsent(t)
-- Row t has not been sent, given up or skipped. This is the predicate of the indexes on unsent rows, so it
-- has to stay textually equal to the migrations'.
{t}.unsent

-- fragment: ready(t)
-- Row t has not been sent and waits for nothing. This is the predicate of an index.
{unsent({t})} AND {t}.next_attempt_at IS NULL

-- fragment: waiting(t)
-- Row t has not been sent, and waits for a time or for an earlier row of its key. This is the predicate of
-- an index.
{unsent({t})} AND {t}.next_attempt_at IS NOT NULL

-- fragment: key(t)
-- Rows of one key are sent in the order of their numbers.
coalesce({t}.partition_key, {t}.aggregate_id)

-- fragment: still_unsent
-- Row o is unsent, for rows that are found by their ctid or id. It says so in other words than the
-- predicates of the partial indexes, or else the planner, when it thinks such an index small, walks all of
-- it instead.
{state(o)} IN ({unsent_states})

-- fragment: awaits_retry
-- Row o waits for its next attempt, as opposed to rows that are held aside until 'infinity'.
{unsent(o)} AND o.next_attempt_at < 'infinity'

-- fragment: follows_waiting(topics)
-- An older row of row o's key waits, and not only because its topic is one of these.
EXISTS
    (SELECT 1
       FROM outbox_events AS w
      WHERE w.bucket = o.bucket
        AND {key(w)} = {key(o)}
        AND w.seq < o.seq
        AND {waiting(w)}
        AND w.topic <> ALL ({topics}::text[]))

-- fragment: among(seq, numbers)
-- A number is one of these. An array of a prepared statement would be walked over once for each row; this is a
-- hash, whatever joins the session allows.
({seq} NOT IN (SELECT a.seq FROM unnest({numbers}::bigint[]) AS a(seq))) IS FALSE

-- fragment: ready_numbered
-- The rows r that are ready, of the buckets and numbers n, each by a look of its own into the index: where the
-- table has no statistics, as after its first burst, a join reads all ready rows once for each of them.
CROSS JOIN LATERAL
     (SELECT o.seq, o.id
        FROM outbox_events AS o
       WHERE o.bucket = n.bucket
         AND o.seq = n.seq
         AND {ready(o)}
      OFFSET 0) AS r

-- fragment: finite(t)
-- A writer may say 'infinity', and nothing is so old or so new: such a time counts as none.
CASE WHEN isfinite({t}) THEN {t} END

-- fragment: unclaimed
-- Row o is ready and nobody has claimed it.
{ready(o)} AND {state(o)} IN ({relay_to_processing})

-- fragment: blocked
-- A row of row o's key waits, so row o must not be sent now.
EXISTS (SELECT 1 FROM outbox_blocked_keys AS k WHERE k.bucket = o.bucket AND k.key = {key(o)})

-- fragment: failed_blocks
-- The row that blocks key k is FAILED still: nothing of the key is sent until an operator has settled it.
EXISTS (SELECT 1 FROM outbox_events AS f WHERE f.bucket = k.bucket AND f.seq = k.failed_seq AND f.failed)

-- fragment: keep_failed_seq
-- Ends an INSERT of rows (bucket, key, failed_seq): a key that is blocked already stays blocked, and keeps
-- the FAILED row that it waits for unless there is a newer one.
ON CONFLICT (bucket, key) DO UPDATE
   SET failed_seq = coalesce(excluded.failed_seq, outbox_blocked_keys.failed_seq)

-- fragment: back_to_new
-- A claimed row o goes back to where claims find it. Later rows of its key may be held aside already; where
-- the key is blocked it has to wait with them.
status = 'NEW', next_attempt_at = CASE WHEN {blocked} THEN 'infinity'::timestamptz END

-- fragment: relay_alive
-- Relay r is alive: its lease runs and its session stands. Right after a restart of the server, when every
-- session is new, the lease alone counts. A heartbeat from the future is from before the server's clock was
-- set back.
(r.heartbeat_at BETWEEN clock_timestamp() - r.lease AND clock_timestamp() + r.lease
 AND (pg_postmaster_start_time() > clock_timestamp() - interval '3 seconds'
      OR EXISTS (SELECT 1 FROM pg_locks AS l WHERE {holds_lock({relay_class}, r.lock_key)})))

-- fragment: shard_paused
-- An operator has paused shard s, or everything, or is about to move the buckets to other shards.
(EXISTS (SELECT 1 FROM outbox_pauses AS p WHERE p.scope = 'all' OR p.scope = 'shard' AND p.name = s.shard::text)
 OR EXISTS (SELECT 1
              FROM outbox_meta AS h
             WHERE h.reshard_until BETWEEN clock_timestamp() AND clock_timestamp() + interval '1 minute'))

-- fragment: names
-- What a claim reads of a row o beside its content.
o.ctid, o.seq, o.id, o.bucket, coalesce(o.retry_count, 0), o.max_retries, o.created_at, o.topic, {key(o)},
o.aggregate_type, o.aggregate_id, o.event_type, o.tombstone, o.content_type

-- fragment: content
-- What a row o holds, whatever its size.
o.event_data::text, o.headers::text, o.payload

-- fragment: stored
-- The bytes that the table keeps of the content of row o.
(coalesce(pg_column_size(o.event_data), 0)::bigint + coalesce(pg_column_size(o.headers), 0)
 + coalesce(pg_column_size(o.payload), 0))

-- fragment: is_large(column)
-- One row may hold what a hundred do, so how many rows a statement may read says nothing of what comes back:
-- columns that the table keeps in more than 8 KiB are read by themselves. Compressed, those are 2 MiB at
-- most.
pg_column_size(o.{column}) > 8192

-- fragment: any_is_large
-- At least one column of row o is to be read by itself.
({is_large(event_data)} OR {is_large(headers)} OR {is_large(payload)})

-- fragment: small(column, value)
-- The value of a column, unless it is to be read by itself.
CASE WHEN NOT {is_large({column})} THEN {value} END

-- fragment: small_content
-- The content of row o, as far as it is small.
{small(event_data, o.event_data::text)}, {small(headers, o.headers::text)}, {small(payload, o.payload)}

-- fragment: columns
-- What a claim reads of a row o, in the order in which add_rows() takes it.
{names}, {small_content}, CASE WHEN {any_is_large} THEN {stored} ELSE 0 END

-- fragment: bare_columns
-- The same, with all of the content to be read yet: of little that holds very much only reading it tells.
{names}, NULL, NULL, NULL, {stored}

-- fragment: all_columns
-- The same with all of the content.
{names}, {content}, 0::bigint

-- fragment: identity
-- What names a row o without reading what it holds, in the order in which candidates_of() takes it.
o.ctid, o.seq, o.id, coalesce(o.retry_count, 0), o.bucket

-- fragment: utc(t)
-- A time in UTC, as the programs print it.
to_char({t} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
