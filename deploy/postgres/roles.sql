-- The roles with their least grants. Run as the owner of the tables, after `outbox-migrate up`:
--   psql -v app=outbox_app -v relay=outbox_relay -f roles.sql
-- Add  -v operator=outbox_operator  for the role of those who use the verbs of outbox-relay.
-- Add  -v backfill=outbox_backfill  for the role of outbox-backfill.
-- Add  -v monitor=outbox_monitor    for the role of who watches PostgreSQL: it reads outbox_health and nothing else.
-- Add  -v schema=orders  where DB_SCHEMA is not public.
-- Create them first, e.g.  CREATE ROLE outbox_app LOGIN PASSWORD '...';
\if :{?schema}
\else
\set schema public
\endif
SET search_path = :"schema", pg_temp;
GRANT USAGE ON SCHEMA :"schema" TO :"app", :"relay";

-- An application that only inserts events, itself or by outbox_add(). The doorbell runs with its owner's rights; identity
-- needs no grant. INSERT ... RETURNING, which object-relational mappers use, needs the right to read what it returns:
-- all but what events say.
GRANT INSERT, SELECT (id, seq, bucket, aggregate_type, aggregate_id, event_type, topic, partition_key, status, unsent,
                      failed, created_at, processed_at, retry_count, max_retries) ON outbox_events TO :"app";
-- The worked example (outbox-server) has tables of its own as well, where they were not left out.
SELECT to_regclass('outbox_example_migrations') IS NOT NULL AS example \gset
\if :example
GRANT SELECT, INSERT, UPDATE ON users TO :"app";
GRANT SELECT, INSERT, UPDATE, DELETE ON idempotency_keys TO :"app";
\endif

-- The relay: reads events, and writes only what it knows about their delivery.
GRANT SELECT ON outbox_events TO :"relay";
GRANT UPDATE (status, processed_at, retry_count, error_message, next_attempt_at, kafka_partition, kafka_offset)
    ON outbox_events TO :"relay";
-- With RELAY_ON_SENT=delete as well:  GRANT DELETE ON outbox_events TO outbox_relay;
GRANT SELECT, UPDATE ON SEQUENCE outbox_events_seq_seq TO :"relay";
GRANT SELECT, UPDATE ON outbox_meta TO :"relay";
GRANT SELECT, INSERT, UPDATE ON outbox_shards TO :"relay";
GRANT SELECT, INSERT, UPDATE, DELETE ON outbox_relays, outbox_slots TO :"relay";
GRANT SELECT, INSERT, UPDATE (failed_seq), DELETE ON outbox_blocked_keys TO :"relay";
GRANT SELECT ON outbox_pauses, outbox_captures TO :"relay";
GRANT SELECT, INSERT, UPDATE, DELETE ON outbox_topic_outages TO :"relay";
GRANT SELECT, INSERT ON outbox_topics TO :"relay";
GRANT SELECT, INSERT, DELETE ON outbox_lost_markers TO :"relay";

-- The operator, for `outbox-relay status` and the other verbs: sees everything but what events say, and changes what
-- happens to them.
\if :{?operator}
GRANT USAGE ON SCHEMA :"schema" TO :"operator";
GRANT SELECT (id, seq, bucket, aggregate_id, partition_key, event_type, topic, status, unsent, failed, created_at,
              processed_at, retry_count, error_message, next_attempt_at) ON outbox_events TO :"operator";
GRANT UPDATE (status, processed_at, retry_count, error_message, next_attempt_at) ON outbox_events TO :"operator";
GRANT UPDATE (shard_count, reshard_until) ON outbox_meta TO :"operator";
GRANT INSERT (shard), UPDATE (owner, owned_since, quiet_epoch, epoch, claimed_seq, stopped) ON outbox_shards TO :"operator";
GRANT SELECT ON outbox_meta, outbox_shards, outbox_slots, outbox_relays, outbox_blocked_keys, outbox_lost_markers, outbox_captures,
    outbox_topics, outbox_topic_outages TO :"operator";
GRANT SELECT, INSERT, DELETE ON outbox_pauses TO :"operator";
GRANT SELECT, INSERT, UPDATE (rows) ON outbox_audit TO :"operator";
\endif

-- outbox-backfill: reads events and what relays do, and writes down only its own runs.
\if :{?backfill}
GRANT USAGE ON SCHEMA :"schema" TO :"backfill";
GRANT SELECT ON outbox_events, outbox_meta, outbox_shards, outbox_relays, outbox_pauses, outbox_topics
    TO :"backfill";
GRANT SELECT ON SEQUENCE outbox_events_seq_seq TO :"backfill";
GRANT EXECUTE ON FUNCTION outbox_summarize_seq TO :"backfill";
GRANT SELECT, INSERT, UPDATE (published, finished_at, cancelled_at, cancelled_by) ON outbox_backfills TO :"backfill";
\endif

\if :{?monitor}
GRANT USAGE ON SCHEMA :"schema" TO :"monitor";
GRANT SELECT ON outbox_health TO :"monitor";
GRANT EXECUTE ON FUNCTION outbox_shard_health() TO :"monitor";
\endif
