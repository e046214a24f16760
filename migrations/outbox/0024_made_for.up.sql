-- A relay says for which version of the schema it was built. One of version 0.1, which says nothing, has other names for the
-- locks: beside newer relays it would believe that it is alone. So it cannot begin here.
ALTER TABLE outbox_relays ADD COLUMN made_for INTEGER;
UPDATE outbox_relays SET made_for = 0; -- not known

CREATE FUNCTION outbox_refuse_old_relay() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'relay % was built for an older version of this outbox: upgrade the program, or take it out of service',
        NEW.name USING ERRCODE = 'object_not_in_prerequisite_state';
END $$;

CREATE TRIGGER outbox_refuse_old_relay BEFORE INSERT ON outbox_relays
    FOR EACH ROW WHEN (NEW.made_for IS NULL) EXECUTE FUNCTION outbox_refuse_old_relay();
