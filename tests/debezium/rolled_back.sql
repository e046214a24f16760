-- One that is taken back: nobody may see it.
\set k random(1, 20)
BEGIN;
UPDATE aggregates SET n = n + 1 WHERE key = 'k' || :k RETURNING n \gset
INSERT INTO outbox VALUES (gen_random_uuid(), current_database(), 'k' || :k, 'order.placed', jsonb_build_object('n', :n));
DELETE FROM outbox WHERE aggregateid = 'k' || :k;
ROLLBACK;
