-- outbox-relay adopt: the outbox belongs to another cluster or another name from now on.

-- statement: outbox_find_unsettled
-- Finds out whether the former cluster may have events although the database does not say so. Relays note
-- each topic before they send anything there.
SELECT NOT EXISTS (SELECT FROM outbox_topics) AND NOT EXISTS (SELECT FROM outbox_shards WHERE marked_batch > 1),
       (SELECT count(*) FROM outbox_events AS o WHERE o.unsent AND o.status = 'PROCESSING'),
       (SELECT string_agg(s.shard::text, ', ' ORDER BY s.shard)
          FROM outbox_shards AS s
         WHERE s.owner IS NOT NULL AND s.quiet_epoch IS DISTINCT FROM s.epoch
            OR EXISTS (SELECT 1 FROM outbox_lost_markers));

-- statement: outbox_new_identity
-- Gives the outbox to name $1 and cluster $2, with a new id.
UPDATE outbox_meta
   SET outbox_id = gen_random_uuid(), name = $1, cluster_id = $2, reshard_until = NULL
 RETURNING outbox_id;

-- statement: outbox_begin_again
-- Makes every shard begin again. Batches count from 1: the new control topic holds none.
UPDATE outbox_shards
   SET owner = NULL, owned_since = NULL, quiet_epoch = NULL, stopped = NULL, epoch = epoch + 1,
       marked_batch = 0, marked_offset = -1, marked_at = NULL;

-- statement: outbox_forget_markers
-- Forgets lost markers. They are the former outbox's; nothing initialises its producers any more.
DELETE FROM outbox_lost_markers;

-- statement: outbox_unsend
-- Rows that are PROCESSING were not sent: they go back to where claims find them.
UPDATE outbox_events AS o SET {back_to_new} WHERE o.unsent AND {state(o)} IN ({adopt_to_new});
