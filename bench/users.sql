-- For pgbench: what POST /users sends (libs/users/src/user_store.cpp, libs/store/src/writer.cpp), in the same four
-- round trips. "A:B" stands as A":"B in the formats, because pgbench takes :B for a variable.
\set n random(1, 1000000000000)
BEGIN ISOLATION LEVEL READ COMMITTED;
INSERT INTO users (id, email, name, created_at, updated_at) VALUES (gen_random_uuid(), 'user' || :n || '@example.org', 'Ada Lovelace', now(), now()) RETURNING id, email, name, to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24":"MI":"SS.US"Z"'), to_char(updated_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24":"MI":"SS.US"Z"');
INSERT INTO outbox_events (id, aggregate_type, aggregate_id, event_type, event_data, topic, partition_key, headers, max_retries) VALUES (gen_random_uuid(), 'user', :n::text, 'user.created', '{"id": "01a20cc3-2222-7ef0-aeb7-1b61ff656272", "email": "user123456789012@example.org", "name": "Ada Lovelace", "created_at": "2026-11-24T08:54:04.578330Z", "updated_at": "2026-11-24T08:54:04.578330Z"}', 'user-events', :n::text, NULL, 3);
COMMIT;
