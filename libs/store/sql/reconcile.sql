-- outbox-relay reconcile: what the topics hold decides what is sent.

-- statement: outbox_find_shards
-- Lists the shards.
SELECT shard FROM outbox_shards ORDER BY shard;

-- statement: outbox_reconcile
-- Events that were found in their topics become SENT, or FAILED where they were found among the dead
-- letters.
UPDATE outbox_events AS o
   SET status = $4::text,
       processed_at = clock_timestamp(),
       next_attempt_at = NULL,
       kafka_partition = CASE $4::text WHEN 'SENT' THEN m.partition END,
       kafka_offset = CASE $4::text WHEN 'SENT' THEN m.kafka_offset END,
       error_message = CASE $4::text WHEN 'FAILED'
                       THEN concat_ws('; ', o.error_message, 'its headers in the dead-letter topic say why') END
  FROM unnest($1::uuid[], $2::integer[], $3::bigint[]) AS m(id, partition, kafka_offset)
 WHERE o.id = m.id
   AND {state(o)} IN ({reconcile_to_sent});

-- statement: outbox_add_named_shards
-- Makes rows of the shards that the control topic has manifests of.
INSERT INTO outbox_shards (shard) SELECT unnest($1::integer[]) ON CONFLICT DO NOTHING;

-- statement: outbox_reconcile_shards
-- Lets each shard go on after the newest manifest that there is.
UPDATE outbox_shards AS s
   SET owner = NULL,
       owned_since = NULL,
       quiet_epoch = NULL,
       stopped = NULL,
       epoch = greatest(s.epoch, coalesce(e.epoch, 0)) + 1,
       marked_batch = coalesce(e.batch, 0),
       marked_offset = coalesce(e.kafka_offset, -1)
  FROM outbox_shards AS all_shards
  LEFT JOIN unnest($1::integer[], $2::bigint[], $3::bigint[], $4::bigint[]) AS e(shard, batch, kafka_offset, epoch)
       ON e.shard = all_shards.shard
 WHERE all_shards.shard = s.shard;

-- statement: outbox_count_rows
-- Counts unsent and SENT events for each topic and type that rows name.
SELECT o.topic, o.aggregate_type, o.event_type, count(*) FILTER (WHERE o.unsent),
       count(*) FILTER (WHERE o.status = 'SENT')
  FROM outbox_events AS o
 GROUP BY 1, 2, 3;

-- statement: outbox_find_written
-- Lists the topics that relays of this outbox have sent something to.
SELECT topic FROM outbox_topics;

-- statement: outbox_look_up
-- Reads the states and the topics of events.
SELECT o.id, {state(o)}, o.topic FROM outbox_events AS o WHERE o.id = ANY ($1::uuid[]);
