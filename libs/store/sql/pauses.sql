-- outbox-relay pause and resume.

-- statement: outbox_write_pause
-- Notes a pause of a topic, of a shard or of everything.
INSERT INTO outbox_pauses (scope, name, who, why)
 VALUES ($1, $2, $3 || ' as ' || session_user, $4)
 ON CONFLICT DO NOTHING;

-- statement: outbox_end_pause
-- Ends a pause, if there is one of that scope and name.
DELETE FROM outbox_pauses WHERE scope = $1 AND name = $2;

-- statement: outbox_other_pauses
-- Names the pauses that there are.
SELECT string_agg(concat_ws(' ', scope, nullif(name, '')), ', ' ORDER BY scope, name) FROM outbox_pauses;

-- statement: outbox_try_stopped
-- Lets stopped shards be tried again. Their relays look for it, and begin anew.
UPDATE outbox_shards
   SET stopped = NULL
 WHERE stopped IS NOT NULL
   AND shard::text = coalesce($1, shard::text)
 RETURNING shard;

-- statement: outbox_count_shards
-- Reads how many shards there are, 0 before the first relay.
SELECT coalesce(shard_count, 0) FROM outbox_meta;

-- statement: outbox_knows_topic
-- Finds out whether a topic was ever sent to, or events wait for it. Pauses compare with the topics that
-- rows name.
SELECT EXISTS (SELECT 1 FROM outbox_topics WHERE topic = $1)
       OR EXISTS (SELECT 1 FROM outbox_events AS o WHERE {ready(o)} AND o.topic = $1)
       OR EXISTS (SELECT 1 FROM outbox_events AS o WHERE {waiting(o)} AND o.topic = $1);

-- statement: outbox_tell_relays
-- Makes relays look at the pauses now, instead of with their next heartbeat.
{ring('members')};
