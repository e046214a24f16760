-- The column keeps its expression: events may be waiting in the order of its buckets.
DROP FUNCTION outbox_bucket;
DROP FUNCTION outbox_rehash;
