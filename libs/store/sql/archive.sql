-- Events that stand in another table than outbox_events.

-- fragment: event_columns(t)
-- The columns that events of the outbox and of an archive have in common, of a table t.
{t}.ctid, {t}.seq, {t}.id, {t}.bucket, {t}.retry_count, {t}.max_retries, {t}.created_at, {t}.topic,
{t}.partition_key, {t}.aggregate_type, {t}.aggregate_id, {t}.event_type, {t}.event_data, {t}.headers,
{t}.tombstone, {t}.payload, {t}.content_type, {t}.status, {t}.processed_at, {t}.unsent

-- fragment: has(column)
-- Table r has the column.
EXISTS (SELECT FROM pg_attribute AS c WHERE c.attrelid = r.found AND c.attname = '{column}' AND NOT c.attisdropped)

-- statement: outbox_find_archive
-- Finds the table that --archive names, which of the newer columns it has, and the type of event_data in
-- outbox_events.
SELECT r.found, r.found = 'outbox_events'::regclass,
       {has(headers)},
       {has(tombstone)},
       {has(payload)},
       {has(content_type)},
       (SELECT format_type(d.atttypid, NULL)
          FROM pg_attribute AS d
         WHERE d.attrelid = 'outbox_events'::regclass
           AND d.attname = 'event_data')
  FROM (SELECT to_regclass($1)) AS r(found);

-- statement: outbox_archived_events
-- The events of an archive, as columns of the types that outbox_events has, so that conditions reach the
-- table's own indexes. What an older table does not have is NULL.
-- place table: outbox_events
-- place headers: a.headers::jsonb
-- place tombstone: a.tombstone::boolean
-- place payload: a.payload::bytea
-- place content_type: a.content_type::varchar
-- place data_type: jsonb
SELECT '(0,0)'::tid AS ctid, a.seq::bigint AS seq, a.id::uuid AS id, outbox_bucket({key(a)}::text) AS bucket,
       0 AS retry_count, NULL::integer AS max_retries, a.created_at::timestamptz AS created_at,
       a.topic::varchar AS topic, a.partition_key::varchar AS partition_key,
       a.aggregate_type::varchar AS aggregate_type, a.aggregate_id::varchar AS aggregate_id,
       a.event_type::varchar AS event_type, a.event_data::{data_type} AS event_data, {headers} AS headers,
       {tombstone} AS tombstone, {payload} AS payload, {content_type} AS content_type,
       a.status::varchar AS status, a.processed_at::timestamptz AS processed_at,
       coalesce(a.status, 'NEW') IN ('NEW', 'PROCESSING') AS unsent
  FROM {table} AS a;

-- statement: outbox_events_and_archive
-- The events of the outbox and those of an archive. One that stands in both, under another number, counts
-- once.
-- place archived: SELECT {event_columns(x)} FROM outbox_events AS x
(SELECT {event_columns(e)}
  FROM outbox_events AS e
UNION ALL
SELECT a.*
  FROM ({archived}) AS a
 WHERE NOT EXISTS (SELECT FROM outbox_events AS e WHERE e.id = a.id AND e.seq <> a.seq AND NOT e.unsent));
