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

-- A relay that was built before does not know under whose producers a shard's events are under way: it cannot begin here, and
-- one that runs keeps what it has and takes nothing more.
DROP TRIGGER IF EXISTS outbox_refuse_old_relay ON outbox_relays;
CREATE OR REPLACE FUNCTION outbox_refuse_old_relay() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'relay % was built for an older version of this outbox: upgrade the program, or take it out of service',
        NEW.name USING ERRCODE = 'object_not_in_prerequisite_state';
END $$;
CREATE TRIGGER outbox_refuse_old_relay BEFORE INSERT ON outbox_relays
    FOR EACH ROW WHEN (NEW.made_for IS NULL OR NEW.made_for < 31) EXECUTE FUNCTION outbox_refuse_old_relay();

CREATE FUNCTION outbox_refuse_old_owner() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    old_relay text;
BEGIN
    EXECUTE format('SELECT name FROM %I.outbox_relays WHERE relay = $1 AND coalesce(made_for, 0) < 31', TG_TABLE_SCHEMA)
       INTO old_relay USING NEW.owner;
    IF old_relay IS NOT NULL THEN
        RAISE EXCEPTION 'relay % was built for an older version of this outbox: upgrade the program, or take it out of service',
            old_relay USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER outbox_refuse_old_owner BEFORE UPDATE OF owner ON outbox_shards
    FOR EACH ROW WHEN (NEW.owner IS NOT NULL AND NEW.owner IS DISTINCT FROM OLD.owner)
    EXECUTE FUNCTION outbox_refuse_old_owner();
