-- Transactional ids belong to slots, not to shards: a relay leases one for each of its pipelines, and a pipeline publishes for
-- many shards in one Kafka transaction. The epoch is raised after both producers of the slot were initialised, so what was sent
-- under an earlier one is fenced and decided. A slot that was deleted by hand is made again with an epoch above all before.
CREATE TABLE outbox_slots (
    slot  INTEGER PRIMARY KEY CHECK (slot >= 0),
    relay UUID,                                                     -- that leases it; NULL, or dead: it is free
    epoch BIGINT NOT NULL DEFAULT extract(epoch FROM clock_timestamp())::bigint
) WITH (fillfactor = 50);

-- Under whose producers events of the shard may be under way. A slot: under those of its epoch, or an earlier one. No slot, and
-- epoch 0: nobody's. Neither: under those that the shard had for itself before this migration. -1: that is not known.
ALTER TABLE outbox_shards ADD COLUMN slot INTEGER, ADD COLUMN slot_epoch BIGINT;
ALTER TABLE outbox_shards ALTER COLUMN slot_epoch SET DEFAULT 0;

COMMENT ON COLUMN outbox_lost_markers.shard IS 'whose producers they were: of a shard by itself, or, below 0, of slot -1 - shard';

-- Who may do something with the relays' register may do it with their slots.
DO $$
DECLARE
    given record;
BEGIN
    FOR given IN SELECT a.grantee::regrole::text AS grantee, a.privilege_type AS privilege
                   FROM pg_class AS c, aclexplode(c.relacl) AS a
                  WHERE c.oid = 'outbox_relays'::regclass AND a.grantee <> 0 AND a.grantee <> c.relowner LOOP
        EXECUTE format('GRANT %s ON outbox_slots TO %s', given.privilege, given.grantee);
    END LOOP;
END $$;
