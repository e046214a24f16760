DROP TABLE outbox_lost_markers;
DROP TABLE outbox_topics;
