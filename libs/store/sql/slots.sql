-- Slots: pairs of transactional ids that relays lease for their pipelines.

-- statement: outbox_keep_slot
-- Leases slot $1 to relay $2 once more, while nobody else has it.
UPDATE outbox_slots SET relay = $2 WHERE slot = $1 AND (relay IS NULL OR relay = $2) RETURNING slot, epoch;

-- statement: outbox_lease_slot
-- Leases a slot that nobody has to relay $1. What a dead relay has under way there ends when the producers
-- are initialised.
UPDATE outbox_slots AS s
   SET relay = $1
  FROM (SELECT f.slot
          FROM outbox_slots AS f
         WHERE f.relay IS NULL
            OR NOT EXISTS (SELECT 1 FROM outbox_relays AS r WHERE r.relay = f.relay AND {relay_alive})
         ORDER BY f.slot
         LIMIT 1
           FOR UPDATE SKIP LOCKED) AS free
 WHERE s.slot = free.slot
 RETURNING s.slot, s.epoch;

-- statement: outbox_add_slot
-- Makes one more slot for relay $1, unless somebody does so at this moment.
INSERT INTO outbox_slots (slot, relay)
SELECT coalesce(max(s.slot) + 1, 0), $1 FROM outbox_slots AS s
 ON CONFLICT DO NOTHING
 RETURNING slot, epoch;

-- statement: outbox_free_slot
-- Relay $2 gives slot $1 back.
UPDATE outbox_slots SET relay = NULL WHERE slot = $1 AND relay = $2;

-- statement: outbox_slot_epoch
-- Reads the epoch of slot $1.
SELECT epoch FROM outbox_slots WHERE slot = $1;

-- statement: outbox_raise_slot
-- Both producers of slot $1 were initialised after its epoch was seen to be $2: those of that epoch are
-- fenced, and what they sent is decided.
UPDATE outbox_slots SET epoch = epoch + 1 WHERE slot = $1 AND epoch = $2 RETURNING epoch;

-- statement: outbox_all_slots
-- Lists the slots.
SELECT slot FROM outbox_slots ORDER BY slot;
