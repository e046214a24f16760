-- outbox_health: how each shard is, for teams that watch PostgreSQL. A monitoring role may read it that may read nothing else
-- (deploy/postgres/roles.sql). Counts end at 100000, so that it costs no more however much waits.

-- Put together at each call, so that columns of outbox_events can be changed under it. It runs with its caller's rights, and only
-- outbox_shard_health() calls it. A relay counts as alive while its lease runs: one that was killed, for some seconds more.
CREATE FUNCTION outbox_read_health(events REGCLASS)
    RETURNS TABLE (shard INTEGER, owner TEXT, owner_alive BOOLEAN, epoch BIGINT, stopped TEXT, paused BOOLEAN,
                   waiting_events BIGINT, oldest_event_age_seconds DOUBLE PRECISION, failed_events BIGINT, blocked_keys BIGINT,
                   relays_alive BIGINT)
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET jit = off AS $$
DECLARE
    place text := (SELECT quote_ident(n.nspname) FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
                    WHERE c.oid = events);
    counted text := '(SELECT count(*) AS n, min(e.at) AS oldest FROM (SELECT b.at FROM generate_series(s.shard, 63, m.shard_count)'
                  ' AS g(bucket) CROSS JOIN LATERAL (SELECT CASE WHEN isfinite(o.created_at) THEN o.created_at END AS at FROM %1$s AS o'
                  ' WHERE o.bucket = g.bucket AND %2$s OFFSET 0) AS b LIMIT 100000) AS e)';
BEGIN
    RETURN QUERY EXECUTE format(
        'WITH alive AS (SELECT r.relay, r.name, r.heartbeat_at BETWEEN clock_timestamp() - r.lease AND clock_timestamp() + r.lease'
        '                      AS alive FROM %1$s.outbox_relays AS r)'
        ' SELECT s.shard, coalesce(r.name, s.owner::text), coalesce(r.alive, false), s.epoch, s.stopped,'
        '       EXISTS (SELECT FROM %1$s.outbox_pauses AS p WHERE p.scope = ''all'''
        '                   OR p.scope = ''shard'' AND p.name = s.shard::text),'
        '       least(ready.n + waiting.n, 100000),'
        '       greatest(extract(epoch FROM clock_timestamp() - least(first.at, waiting.oldest)), 0)::double precision,'
        '       failed.n, blocked.n, (SELECT count(*) FROM alive AS a WHERE a.alive)'
        '  FROM %1$s.outbox_meta AS m'
        '  JOIN %1$s.outbox_shards AS s ON s.shard < m.shard_count'
        '  LEFT JOIN alive AS r ON r.relay = s.owner'
        ' CROSS JOIN LATERAL ' || format(counted, events, 'o.unsent AND o.next_attempt_at IS NULL') || ' AS ready'
        ' CROSS JOIN LATERAL ' || format(counted, events, 'o.unsent AND o.next_attempt_at IS NOT NULL') || ' AS waiting'
        ' CROSS JOIN LATERAL ' || format(counted, events, 'o.failed') || ' AS failed'
        ' CROSS JOIN LATERAL (SELECT min(l.at) AS at FROM generate_series(s.shard, 63, m.shard_count) AS g(bucket)'
        '   CROSS JOIN LATERAL (SELECT CASE WHEN isfinite(o.created_at) THEN o.created_at END AS at FROM %2$s AS o'
        '     WHERE o.bucket = g.bucket AND o.unsent AND o.next_attempt_at IS NULL ORDER BY o.seq LIMIT 1) AS l) AS first'
        ' CROSS JOIN LATERAL (SELECT count(*) AS n FROM (SELECT FROM generate_series(s.shard, 63, m.shard_count) AS g(bucket)'
        '   CROSS JOIN LATERAL (SELECT FROM %1$s.outbox_blocked_keys AS k WHERE k.bucket = g.bucket OFFSET 0) AS b'
        '   LIMIT 100000) AS e) AS blocked'
        ' ORDER BY s.shard', place, events);
END $$;

-- With its owner's rights, and for nobody but whom it is granted.
CREATE FUNCTION outbox_shard_health()
    RETURNS TABLE (shard INTEGER, owner TEXT, owner_alive BOOLEAN, epoch BIGINT, stopped TEXT, paused BOOLEAN,
                   waiting_events BIGINT, oldest_event_age_seconds DOUBLE PRECISION, failed_events BIGINT, blocked_keys BIGINT,
                   relays_alive BIGINT)
    LANGUAGE sql STABLE SECURITY DEFINER
BEGIN ATOMIC
    SELECT h.shard, h.owner, h.owner_alive, h.epoch, h.stopped, h.paused, h.waiting_events, h.oldest_event_age_seconds,
           h.failed_events, h.blocked_keys, h.relays_alive
      FROM outbox_read_health('outbox_events'::regclass) AS h;
END;
REVOKE EXECUTE ON FUNCTION outbox_read_health(REGCLASS), outbox_shard_health() FROM PUBLIC;

CREATE VIEW outbox_health AS SELECT * FROM outbox_shard_health();
