-- The register of outbox-backfill's runs, and the moment at which history stands still.

-- fragment: runs
-- The runs as the register shows them: what they are about, whether a process holds them, and how many
-- events a second they published.
SELECT b.run, b.id, b.lock_key, b.generated, b.who, b.selection, b.target, b.since, b.until, b.done_by, b.last_seq,
       b.log_position, b.events, b.lanes, b.control_offset, b.published, {utc(b.started_at)}, {utc(b.finished_at)},
       {utc(b.cancelled_at)}, EXISTS (SELECT 1 FROM pg_locks AS l WHERE {holds_lock({backfill_class}, b.lock_key)}),
       coalesce(b.published / nullif(extract(epoch FROM b.finished_at - b.started_at), 0), 0)::bigint, b.waiting
  FROM outbox_backfills AS b

-- fragment: writers
-- The transactions that write to the outbox, those that are prepared included. A writer has its lock before
-- it has a number, and a relay before it says when an event was done; both keep it until others see what
-- they wrote.
pg_locks AS l
 WHERE l.locktype = 'relation'
   AND l.relation = 'outbox_events'::regclass
   AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
   AND l.mode = 'RowExclusiveLock'
   AND l.granted
   AND l.pid IS DISTINCT FROM pg_backend_pid()

-- statement: outbox_read_identity
-- Reads what the outbox belongs to.
SELECT outbox_id, name, cluster_id FROM outbox_meta;

-- statement: outbox_find_topic
-- Finds out whether events of this outbox were ever sent to topic $1.
SELECT EXISTS (SELECT FROM outbox_topics WHERE topic = $1);

-- statement: outbox_read_time
-- Reads a time that a user has typed, as PostgreSQL understands it.
SELECT $1::timestamptz;

-- statement: outbox_read_moment
-- Reads the time by the clock of the database.
SELECT clock_timestamp();

-- statement: outbox_read_waiting
-- Reads which numbers up to $1 are unsent, as ranges. Each half has an index of its own.
SELECT coalesce(range_agg(int8range(w.seq, w.seq, '[]')), '{}')
  FROM (SELECT seq FROM outbox_events WHERE unsent AND next_attempt_at IS NULL
        UNION ALL
        SELECT seq FROM outbox_events WHERE unsent AND next_attempt_at IS NOT NULL) AS w
 WHERE w.seq <= $1;

-- statement: outbox_read_pages
-- Reads how many pages outbox_events has.
SELECT pg_relation_size('outbox_events') / current_setting('block_size')::bigint;

-- statement: outbox_summarize_pages
-- Has the index on seq look at pages that it does not know yet.
SELECT outbox_summarize_seq($1, $2);

-- statement: outbox_read_writers
-- Names the transactions that write to the outbox now.
SELECT coalesce(array_agg(DISTINCT l.virtualtransaction), '{}') FROM {writers};

-- statement: outbox_find_writer
-- Finds one of these transactions that has not ended.
SELECT l.pid FROM {writers} AND l.virtualtransaction = ANY ($1::text[]) LIMIT 1;

-- statement: outbox_log_position
-- Reads the end of the log. The commit of this very transaction lies behind the position, so a replica
-- passes it also when nobody else writes: after a switch of segments the position alone may be one that no
-- record ends at.
SELECT pg_current_wal_insert_lsn(), txid_current();

-- statement: outbox_server
-- Reads which server this is. A backup that was restored, and a replica that was promoted, have the system's
-- identifier as well.
SELECT system_identifier, pg_is_in_recovery(), pg_postmaster_start_time() FROM pg_control_system();

-- statement: outbox_replayed
-- Finds out whether this server shows everything up to position $1 of the log.
SELECT CASE
       WHEN pg_is_in_recovery() THEN coalesce(pg_last_wal_replay_lsn() >= $1::pg_lsn, false)
       ELSE pg_current_wal_insert_lsn() >= $1::pg_lsn
       END;

-- statement: outbox_add_backfill
-- Registers a run, with everything that it is about.
INSERT INTO outbox_backfills (run, id, generated, who, selection, target, since, until, done_by, last_seq,
                              log_position, events, lanes, control_offset, waiting)
VALUES ($1, $2, $3::boolean, $4 || ' as ' || session_user, $5, $6, $7::timestamptz, $8::timestamptz,
        $9::timestamptz, $10, $11::pg_lsn, $12, $13, $14, $15::int8multirange);

-- statement: outbox_hold_backfill
-- Takes the lock of a run that goes on.
SELECT pg_try_advisory_lock({backfill_lock($1::integer)});

-- statement: outbox_hold_registration
-- Takes the lock of a run that is not registered yet.
SELECT pg_try_advisory_lock({registration_lock(hashtext($1) & ((1 << 28) - 1))});

-- statement: outbox_note_backfill
-- Notes how many events a run has published, and reads whether it was cancelled.
UPDATE outbox_backfills SET published = $2 WHERE run = $1 RETURNING cancelled_at IS NOT NULL;

-- statement: outbox_finish_backfill
-- Notes that a run is done.
UPDATE outbox_backfills
   SET published = $2, finished_at = clock_timestamp()
 WHERE run = $1
   AND finished_at IS NULL;

-- statement: outbox_cancel_backfill
-- Notes that an operator has cancelled a run.
UPDATE outbox_backfills
   SET cancelled_at = clock_timestamp(), cancelled_by = $2 || ' as ' || session_user
 WHERE run = $1
   AND finished_at IS NULL
   AND cancelled_at IS NULL;

-- statement: outbox_read_last_seq
-- Reads a number that no event has passed yet. The numbering may have begun anew below what stands there, as
-- in a database that was moved by logical replication.
-- place archived: SELECT 0::bigint AS seq
SELECT greatest(s.last_value, (SELECT max(a.seq) FROM ({archived}) AS a),
                (SELECT max(e.seq) FROM outbox_events AS e WHERE e.seq > s.last_value))
  FROM outbox_events_seq_seq AS s;

-- statement: outbox_find_run
-- Finds a run by its name.
{runs} WHERE b.run = $1;

-- statement: outbox_find_unfinished_run
-- Finds the newest run of a generated name that was meant to do the same and is not finished.
{runs}
 WHERE b.generated
   AND b.selection = $1
   AND b.target = $2
   AND b.finished_at IS NULL
   AND b.cancelled_at IS NULL
 ORDER BY b.started_at DESC
 LIMIT 1;

-- statement: outbox_find_finished_run
-- Finds the newest run of a generated name that did the same, about the same times, and is finished.
{runs}
 WHERE b.generated
   AND b.selection = $1
   AND b.target = $2
   AND b.finished_at IS NOT NULL
   AND b.since IS NOT DISTINCT FROM $3::timestamptz
   AND b.until IS NOT DISTINCT FROM $4::timestamptz
 ORDER BY b.started_at DESC
 LIMIT 1;

-- statement: outbox_list_runs
-- Lists all runs of outbox-backfill, the oldest first.
{runs} ORDER BY b.started_at, b.run;

-- statement: outbox_count_ids
-- Counts those of the ids $1 that name no event, or one of another status than $2, with three examples.
-- place events: outbox_events
SELECT coalesce(x.status, ''), count(*), array_to_string((array_agg(x.id::text ORDER BY x.id))[1:3], ', ')
  FROM (SELECT w.id, min(e.status) AS status
          FROM unnest($1::uuid[]) AS w(id)
          LEFT JOIN {events} AS e ON e.id = w.id
         GROUP BY w.id) AS x
 WHERE x.status IS NULL
    OR NOT x.status = ANY ($2::text[])
 GROUP BY 1
 ORDER BY 1;

-- statement: outbox_count_ids_twice
-- Counts the ids that stand in an archive under several numbers, with three examples.
-- place archived: SELECT {event_columns(x)} FROM outbox_events AS x
-- place condition: NOT o.unsent
SELECT count(*), coalesce(array_to_string((array_agg(d.id::text ORDER BY d.id))[1:3], ', '), '')
  FROM (SELECT o.id FROM ({archived}) AS o WHERE {condition} GROUP BY o.id HAVING min(o.seq) < max(o.seq)) AS d;
