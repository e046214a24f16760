-- Events that are done, for outbox-backfill.

-- statement: outbox_next_done
-- Reads the first number above $1 and up to $2 of an event that is done.
-- place events: outbox_events
SELECT min(o.seq) FROM {events} AS o WHERE NOT o.unsent AND o.seq > $1 AND o.seq <= $2;

-- statement: outbox_count_done
-- Counts events that are done by types, topic and day. What the record of an event takes beside its value
-- are its key twice, and the names of the headers.
-- place distinct: DISTINCT ON (o.seq, o.id)
-- place events: outbox_events
-- place condition: NOT o.unsent
-- place order: o.seq, o.id
-- place limit: 100
SELECT e.aggregate_type, e.event_type, e.topic, e.day, count(*), sum(e.bytes)::bigint, min(e.seq), max(e.seq)
  FROM (SELECT d.*
          FROM (SELECT {distinct} o.seq, o.aggregate_type, o.event_type, o.topic,
                       coalesce(to_char(o.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD'), '') AS day,
                       octet_length(o.event_data::text) + coalesce(octet_length(o.payload), 0)
                       + 2 * octet_length({key(o)}) + octet_length(o.event_type) + octet_length(o.aggregate_id)
                       + coalesce(octet_length(o.headers::text), 0) + 250 AS bytes
                  FROM {events} AS o
                 WHERE {condition}
                 ORDER BY {order}) AS d
         ORDER BY d.seq
         FETCH FIRST {limit} ROWS WITH TIES) AS e
 GROUP BY 1, 2, 3, 4;

-- statement: outbox_count_history
-- Counts the events that a condition chooses.
-- place events: outbox_events
-- place condition: NOT o.unsent
SELECT count(*) FROM {events} AS o WHERE {condition};

-- statement: outbox_count_twice
-- Counts the events of an archive that stand in the outbox as well, under another number.
-- place archived: SELECT {event_columns(x)} FROM outbox_events AS x
-- place condition: NOT o.unsent
SELECT count(*)
  FROM ({archived}) AS o
 WHERE {condition}
   AND EXISTS (SELECT FROM outbox_events AS e WHERE e.id = o.id AND e.seq <> o.seq AND NOT e.unsent);

-- statement: outbox_describe_event
-- Describes the event of number $1 in one line.
-- place events: outbox_events
SELECT o.seq || '  ' || o.id || '  ' || o.event_type || ' of ' || o.aggregate_type || ' ' || o.aggregate_id
       || coalesce('  ' || {utc(o.created_at)}, '')
  FROM {events} AS o
 WHERE NOT o.unsent
   AND o.seq = $1;

-- statement: outbox_read_sizes
-- Reads what the next events that are done take in the table, without reading what they hold.
-- place distinct: DISTINCT ON (o.seq, o.id)
-- place events: outbox_events
-- place condition: NOT o.unsent
-- place order: o.seq, o.id
-- place limit: 100
SELECT s.seq, s.stored
  FROM (SELECT {distinct} o.seq, {stored} AS stored
          FROM {events} AS o
         WHERE {condition}
         ORDER BY {order}
         LIMIT {limit}) AS s;

-- statement: outbox_read_history
-- Reads the next events that are done.
-- place distinct: DISTINCT ON (o.seq, o.id)
-- place events: outbox_events
-- place condition: NOT o.unsent
-- place order: o.seq, o.id
SELECT {distinct} {all_columns} FROM {events} AS o WHERE {condition} ORDER BY {order};
