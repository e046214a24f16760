-- outbox-relay failed.

-- fragment: group_failed(topic, type, message)
-- Groups the FAILED events by topic and message, numbers and ids in the message aside. $1 is a topic, $2 a
-- type, $3 the time since which. The newest of a group is the largest array that begins with its time, so no
-- group needs memory for its events.
WITH g AS
    (SELECT f.topic, count(*) AS events, min(f.processed_at) AS first, max(f.processed_at) AS last,
            max(ARRAY[to_char(f.processed_at AT TIME ZONE 'UTC', 'YYYYMMDDHH24MISSUS'), f.id::text,
                      left(f.message, 1000)]) AS newest,
            min(f.event_type) AS least_type, max(f.event_type) AS greatest_type
       FROM (SELECT {topic} AS topic, o.id, {type} AS event_type, o.processed_at, coalesce({message}, '') AS message
               FROM generate_series(0, {last_bucket}) AS b(bucket)
               JOIN outbox_events AS o ON o.bucket = b.bucket AND o.failed
              WHERE ($1::text IS NULL OR o.topic = $1)
                AND ($2::text IS NULL OR o.event_type = $2)
                AND ($3::timestamptz IS NULL OR o.processed_at >= $3::timestamptz)) AS f
      GROUP BY f.topic,
               regexp_replace(f.message, '[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9]+', '?', 'g'))
SELECT topic, events, {utc(first)}, {utc(last)}, newest[2], newest[3],
       CASE WHEN least_type = greatest_type THEN least_type END, sum(events) OVER ()::bigint, count(*) OVER ()
  FROM g
 ORDER BY events DESC, last DESC NULLS LAST, topic
 LIMIT 100

-- fragment: plain(column)
-- A text of which some characters have no form in UTF-8, which is what an event may be FAILED for.
regexp_replace({column}::text COLLATE "C", '[^ -~]', '?', 'g')

-- statement: outbox_group_failed
-- Lists the largest groups of FAILED events.
{group_failed(o.topic, o.event_type, o.error_message)};

-- statement: outbox_group_failed_plainly
-- The same where a text has no form in UTF-8.
{group_failed({plain(o.topic)}, {plain(o.event_type)}, {plain(o.error_message)})};
