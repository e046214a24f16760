CREATE OR REPLACE TRIGGER outbox_refuse_change
    AFTER UPDATE OF id, seq, aggregate_type, aggregate_id, event_type, event_data, topic, partition_key, headers
    ON outbox_events FOR EACH ROW
    WHEN (coalesce(OLD.status, 'NEW') IN ('NEW', 'PROCESSING'))
    EXECUTE FUNCTION outbox_refuse_change();
ALTER TABLE outbox_events
    DROP CONSTRAINT outbox_events_value_check,
    DROP COLUMN content_type,
    DROP COLUMN payload,
    DROP COLUMN tombstone;
