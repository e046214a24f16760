-- Topics that take nothing at the moment, as each living relay sees it: their events wait, and spend no attempt. Rows of
-- relays that are gone go with them.
CREATE TABLE outbox_topic_outages (
    relay    UUID REFERENCES outbox_relays ON DELETE CASCADE,
    topic    TEXT,                        -- of Kafka
    since    TIMESTAMPTZ NOT NULL,
    code     INTEGER NOT NULL,            -- Kafka's error
    reason   TEXT NOT NULL,               -- and what to type
    given_up BOOLEAN NOT NULL,            -- RELAY_TOPIC_OUTAGE=fail: its events are FAILED
    PRIMARY KEY (relay, topic)
);

-- A row that names no limit of its own follows RELAY_MAX_RETRIES. Rows that are there keep theirs, and a table that was
-- adopted keeps a default that is not ours.
DO $$
BEGIN
    IF (SELECT pg_get_expr(d.adbin, d.adrelid) FROM pg_attrdef AS d JOIN pg_attribute AS a
            ON a.attrelid = d.adrelid AND a.attnum = d.adnum
         WHERE d.adrelid = 'outbox_events'::regclass AND a.attname = 'max_retries') = '3' THEN
        ALTER TABLE outbox_events ALTER COLUMN max_retries DROP DEFAULT;
    END IF;
END $$;
