DROP TRIGGER outbox_refuse_old_relay ON outbox_relays;
DROP FUNCTION outbox_refuse_old_relay();
ALTER TABLE outbox_relays DROP COLUMN made_for;
