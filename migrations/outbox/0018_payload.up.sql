-- What is no JSON. A row says so in columns of its own, and its event_data is then the JSON null, which alone would be sent
-- as the text `null`:
--   tombstone     the record has a key and no value, so that a compacted topic forgets the key
--   payload       the value, byte for byte (Avro, Protobuf), and content_type what it is (application/octet-stream)
-- NULL costs nothing in a row. The conditions hold for every row that stands there already, so they are not checked
-- again: that would read the whole table under an exclusive lock.
ALTER TABLE outbox_events
    ADD COLUMN tombstone    BOOLEAN,
    ADD COLUMN payload      BYTEA,
    ADD COLUMN content_type VARCHAR(255),
    ADD CONSTRAINT outbox_events_value_check CHECK (
        CASE WHEN tombstone THEN event_data::text = 'null' AND payload IS NULL AND content_type IS NULL
             WHEN payload IS NOT NULL THEN event_data::text = 'null'
             ELSE content_type IS NULL END) NOT VALID;

-- They stand still like the rest of a row that may be in flight.
CREATE OR REPLACE TRIGGER outbox_refuse_change
    AFTER UPDATE OF id, seq, aggregate_type, aggregate_id, event_type, event_data, topic, partition_key, headers,
        tombstone, payload, content_type
    ON outbox_events FOR EACH ROW
    WHEN (coalesce(OLD.status, 'NEW') IN ('NEW', 'PROCESSING'))
    EXECUTE FUNCTION outbox_refuse_change();
