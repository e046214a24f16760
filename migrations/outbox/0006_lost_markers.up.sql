-- What a shard's recovery must remember where a Kafka broker ended a transaction without writing all its markers.

-- Every topic that events of this outbox were sent to: where recovery looks for transactions that nobody ends.
CREATE TABLE outbox_topics (
    topic TEXT PRIMARY KEY
);

-- Outcomes that Kafka's coordinator forgets when the lanes are initialised, kept until the marker stands.
CREATE TABLE outbox_lost_markers (
    shard        INTEGER,
    topic        TEXT,
    partition    INTEGER,
    producer_id  BIGINT,
    start_offset BIGINT NOT NULL,     -- of the open transaction; -1: the partition had no leader to ask
    committed    BOOLEAN NOT NULL,
    PRIMARY KEY (shard, topic, partition, producer_id)
);
