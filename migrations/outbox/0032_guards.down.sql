DROP TRIGGER IF EXISTS outbox_refuse_old_owner ON outbox_shards;
DROP FUNCTION IF EXISTS outbox_refuse_old_owner();
DROP TRIGGER IF EXISTS outbox_refuse_old_relay ON outbox_relays;
CREATE TRIGGER outbox_refuse_old_relay BEFORE INSERT ON outbox_relays
    FOR EACH ROW WHEN (NEW.made_for IS NULL) EXECUTE FUNCTION outbox_refuse_old_relay();
