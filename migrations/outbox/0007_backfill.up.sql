-- Replays of history: who runs what, and the way to old events in the order of seq.

-- A summary of each few pages instead of an entry for each event: deliveries pay next to nothing for it (an index with
-- entries cost the relay 8 % of its speed), and rows lie about in the order of seq.
CREATE INDEX outbox_events_seq ON outbox_events USING brin (seq) WITH (pages_per_range = 16, autosummarize = on);

-- One row for each run. Where a run stands is said by its control records in Kafka; `published` only repeats it.
CREATE TABLE outbox_backfills (
    run            TEXT PRIMARY KEY,
    id             UUID NOT NULL UNIQUE,          -- what the control records carry
    lock_key       INTEGER GENERATED ALWAYS AS IDENTITY,
    generated      BOOLEAN NOT NULL,              -- the name was not the user's
    who            TEXT NOT NULL,                 -- user and host, and the database role
    selection      TEXT NOT NULL,                 -- the options that chose the events, as given
    target         TEXT NOT NULL,                 -- the options that say where to and how
    since          TIMESTAMPTZ,                   -- what --since and --until meant at the start
    until          TIMESTAMPTZ,
    done_by        TIMESTAMPTZ NOT NULL,          -- events that were done later do not belong to the run
    last_seq       BIGINT NOT NULL,               -- nor do those above
    log_position   PG_LSN NOT NULL,               -- a replica that has replayed it holds all that belong
    events         BIGINT NOT NULL,               -- how many that were at the start
    lanes          INTEGER NOT NULL,
    control_offset BIGINT NOT NULL,               -- all control records of the run are at it or after it
    published      BIGINT NOT NULL DEFAULT 0,
    started_at     TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
    finished_at    TIMESTAMPTZ,
    cancelled_at   TIMESTAMPTZ,
    cancelled_by   TEXT
) WITH (fillfactor = 50);
