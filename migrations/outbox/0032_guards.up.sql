-- What keeps old relays out. `outbox-migrate up` runs this file once more where one of the triggers is gone, so each statement
-- takes what stands there.

-- A relay says for which version of the schema it was built. One of version 0.1, which says nothing, has other names for the
-- locks: beside newer relays it would believe that it is alone. One from before slots does not know under whose producers a
-- shard's events are under way. Neither can begin here.
CREATE OR REPLACE FUNCTION outbox_refuse_old_relay() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'relay % was built for an older version of this outbox: upgrade the program, or take it out of service',
        NEW.name USING ERRCODE = 'object_not_in_prerequisite_state';
END $$;
DROP TRIGGER IF EXISTS outbox_refuse_old_relay ON outbox_relays;
CREATE TRIGGER outbox_refuse_old_relay BEFORE INSERT ON outbox_relays
    FOR EACH ROW WHEN (NEW.made_for IS NULL OR NEW.made_for < 31) EXECUTE FUNCTION outbox_refuse_old_relay();

-- One that runs already keeps the shards that it has, and takes no others.
CREATE OR REPLACE FUNCTION outbox_refuse_old_owner() RETURNS trigger LANGUAGE plpgsql AS $$
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
DROP TRIGGER IF EXISTS outbox_refuse_old_owner ON outbox_shards;
CREATE TRIGGER outbox_refuse_old_owner BEFORE UPDATE OF owner ON outbox_shards
    FOR EACH ROW WHEN (NEW.owner IS NOT NULL AND NEW.owner IS DISTINCT FROM OLD.owner)
    EXECUTE FUNCTION outbox_refuse_old_owner();
