-- Topics that were sent to, and markers that brokers did not write.

-- statement: outbox_read_topics
-- Lists the topics that events of this outbox were ever sent to.
SELECT topic FROM outbox_topics ORDER BY topic;

-- statement: outbox_add_topic
-- Notes a topic, durably, before the first event goes there.
INSERT INTO outbox_topics (topic) VALUES ($1) ON CONFLICT DO NOTHING;

-- statement: outbox_read_lost
-- Lists the markers that brokers did not write of transactions of shard $1, or of slot -1 - $1 where that is below 0.
SELECT topic, partition, producer_id, start_offset, committed
  FROM outbox_lost_markers
 WHERE shard = $1
 ORDER BY topic, partition, producer_id;

-- statement: outbox_add_lost
-- Notes a marker that a broker did not write. What was noted first stands.
INSERT INTO outbox_lost_markers (shard, topic, partition, producer_id, start_offset, committed)
 VALUES ($1, $2, $3, $4, $5, $6)
 ON CONFLICT DO NOTHING;

-- statement: outbox_remove_lost
-- Forgets a marker that a broker has written meanwhile.
DELETE FROM outbox_lost_markers WHERE shard = $1 AND topic = $2 AND partition = $3 AND producer_id = $4;
