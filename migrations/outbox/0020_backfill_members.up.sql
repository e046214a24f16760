-- Which events a replay is about no longer follows from a clock: those that waited for delivery when it began are named.
-- NULL: a run of an earlier version, which goes on by done_by.
ALTER TABLE outbox_backfills ADD COLUMN waiting INT8MULTIRANGE;
