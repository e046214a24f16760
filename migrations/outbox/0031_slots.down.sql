-- Relays of the version before fence only the producers that a shard has for itself.
DO $$
BEGIN
    IF EXISTS (SELECT FROM outbox_shards WHERE slot IS NOT NULL) THEN
        RAISE EXCEPTION 'events of some shards may be under way under the producers of a slot: start a relay of this version, and'
            ' stop it with SIGTERM, before you go back' USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    IF EXISTS (SELECT FROM outbox_lost_markers WHERE shard < 0) THEN
        RAISE EXCEPTION 'markers of transactions of a slot are lost: start a relay of this version, wait until'
            ' outbox_lost_markers is empty, and stop it, before you go back' USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
END $$;
COMMENT ON COLUMN outbox_lost_markers.shard IS NULL;
ALTER TABLE outbox_shards DROP COLUMN slot, DROP COLUMN slot_epoch;
DROP TABLE outbox_slots;
