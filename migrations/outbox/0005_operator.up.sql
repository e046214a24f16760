-- The operator's verbs: what is paused, who did what and why, and what `outbox-relay status` looks up.

-- Rows that were given up have an index of their own. Its predicate is a column that stays the same from NEW to
-- PROCESSING, so that this update stays HOT; an index that names `status` itself would end that. The new column rewrites
-- the table, under an exclusive lock.
ALTER TABLE outbox_events ADD COLUMN failed BOOLEAN GENERATED ALWAYS AS (status = 'FAILED') STORED;
CREATE INDEX outbox_events_failed ON outbox_events (bucket, seq) WHERE failed;

ALTER TABLE outbox_shards
    ADD COLUMN marked_at   TIMESTAMPTZ,  -- when marked_batch was marked
    ADD COLUMN quiet_epoch BIGINT;       -- the owner under this epoch is paused and has nothing in flight

-- What relays claim nothing of. They see it with their heartbeats, and are told at once.
CREATE TABLE outbox_pauses (
    scope TEXT NOT NULL CHECK (scope IN ('all', 'topic', 'shard')),
    name  TEXT NOT NULL CHECK ((scope = 'all') = (name = '')),    -- the topic's, or the shard's number
    who   TEXT NOT NULL,
    why   TEXT,
    since TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (scope, name)
);

-- One row for each use of a verb.
CREATE TABLE outbox_audit (
    id        BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at        TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
    who       TEXT NOT NULL,               -- user and host, and the database role
    why       TEXT,
    verb      TEXT NOT NULL,
    selection TEXT NOT NULL,               -- the options that chose the rows, the topic or the shard
    forced    BOOLEAN NOT NULL DEFAULT false,
    rows      BIGINT NOT NULL DEFAULT 0    -- how many were changed
);
