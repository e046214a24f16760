DROP TABLE outbox_captures;
ALTER TABLE outbox_relays DROP COLUMN hindered;
