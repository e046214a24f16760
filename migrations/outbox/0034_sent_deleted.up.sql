-- Since when relays delete events that are sent (RELAY_ON_SENT=delete); NULL: they never did. What looks at events that were
-- sent cannot know of all of them from then on.
ALTER TABLE outbox_meta ADD COLUMN sent_deleted_since TIMESTAMPTZ;
