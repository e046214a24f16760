-- One event of one key of twenty, and its row is gone at once, as Debezium's users write it. Every tenth transaction is
-- taken back: nobody may see it.
\set k random(1, 20)
\set taken_back random(1, 10)
BEGIN;
UPDATE aggregates SET n = n + 1 WHERE key = 'k' || :k RETURNING n \gset
INSERT INTO outbox VALUES (gen_random_uuid(), current_database(), 'k' || :k, 'order.placed', jsonb_build_object('n', :n));
DELETE FROM outbox WHERE aggregateid = 'k' || :k;
\if :taken_back = 1
ROLLBACK;
\else
COMMIT;
\endif
