-- outbox_add() for what is no JSON: payload with its content_type, and tombstone. Calls that were right stay right.

-- Refuses what could not be sent, as its predecessor does.
CREATE FUNCTION outbox_check(aggregate_type TEXT, aggregate_id TEXT, event_type TEXT, data JSONB, topic TEXT,
                             partition_key TEXT, headers JSONB, max_retries INTEGER, payload BYTEA,
                             content_type TEXT, tombstone BOOLEAN) RETURNS BOOLEAN
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    field text;
    given text;
    why   text;
BEGIN
    FOR field, given IN VALUES ('aggregate_type', aggregate_type), ('aggregate_id', aggregate_id), ('event_type', event_type),
                               ('topic', topic), ('partition_key', coalesce(partition_key, '-')),
                               ('content_type', coalesce(content_type, '-')) LOOP
        why := CASE WHEN given IS NULL THEN field || ' is NULL'
                    WHEN given = '' THEN field || ' is empty'
                    WHEN length(given) > 255 THEN field || ' has more than 255 characters' END;
        EXIT WHEN why IS NOT NULL;
    END LOOP;
    IF why IS NULL THEN
        why := CASE
            WHEN tombstone AND (data IS NOT NULL OR payload IS NOT NULL OR content_type IS NOT NULL)
                THEN 'tombstone is true, and a tombstone has neither data nor payload nor content_type'
            WHEN data IS NOT NULL AND payload IS NOT NULL
                THEN 'data and payload are both given: an event is JSON or bytes'
            WHEN content_type IS NOT NULL AND payload IS NULL
                THEN 'content_type is given without payload: data is application/json'
            WHEN data IS NULL AND payload IS NULL AND tombstone IS NOT TRUE
                THEN 'data is NULL: JSON''s null is ''null''::jsonb, bytes are given as payload, no value at all as '
                     'tombstone => true'
            WHEN content_type !~ '^[!-.0-:<-~]+/[!-:<-~]+( *;[ -~]*)?$'
                THEN 'content_type is no media type, such as application/avro'
            WHEN topic !~ '^[a-zA-Z0-9._-]{1,249}$' OR topic IN ('.', '..')
                THEN 'topic is no name for a Kafka topic: 1 to 249 of letters, digits, ''.'', ''_'', ''-'''
            WHEN headers IS NOT NULL AND jsonb_typeof(headers) <> 'object' THEN 'headers is no JSON object'
            WHEN headers ? '' THEN 'headers has an empty name'
            WHEN max_retries < 0 THEN 'max_retries is negative' END;
    END IF;
    IF why IS NOT NULL THEN
        RAISE EXCEPTION 'outbox_add: %', why USING ERRCODE = 'invalid_parameter_value';
    END IF;
    RETURN true;
END $$;

-- Put together at each call, for the reasons that its predecessor has.
CREATE FUNCTION outbox_insert(events REGCLASS, id UUID, aggregate_type TEXT, aggregate_id TEXT, event_type TEXT, data JSONB,
                              topic TEXT, partition_key TEXT, headers JSONB, max_retries INTEGER, payload BYTEA,
                              content_type TEXT, tombstone BOOLEAN) RETURNS UUID
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    EXECUTE format('INSERT INTO %s (id, aggregate_type, aggregate_id, event_type, event_data, topic, partition_key, headers,'
                   ' max_retries, payload, content_type, tombstone)'
                   ' VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)', events)
        USING id, aggregate_type, aggregate_id, event_type, coalesce(data, 'null'), topic, partition_key, headers, max_retries,
              payload, content_type, nullif(tombstone, false);
    RETURN id;
END $$;

-- Two functions that a call of five arguments fits would leave the server undecided, so the old one goes; where views or
-- functions of somebody's stand on it, it stays for them under another name. Who may call it may call the new one.
DO $$
DECLARE
    old   regprocedure := 'outbox_add(text, text, text, jsonb, text, text, jsonb, uuid, integer)';
    given aclitem[] := (SELECT proacl FROM pg_proc WHERE oid = old);
    grantee text;
BEGIN
    BEGIN
        DROP FUNCTION outbox_add(TEXT, TEXT, TEXT, JSONB, TEXT, TEXT, JSONB, UUID, INTEGER);
        DROP FUNCTION outbox_insert(REGCLASS, UUID, TEXT, TEXT, TEXT, JSONB, TEXT, TEXT, JSONB, INTEGER);
        DROP FUNCTION outbox_check(TEXT, TEXT, TEXT, JSONB, TEXT, TEXT, JSONB, INTEGER);
    EXCEPTION WHEN dependent_objects_still_exist THEN
        ALTER FUNCTION outbox_add(TEXT, TEXT, TEXT, JSONB, TEXT, TEXT, JSONB, UUID, INTEGER) RENAME TO outbox_add_json;
    END;

    CREATE FUNCTION outbox_add(aggregate_type TEXT, aggregate_id TEXT, event_type TEXT, data JSONB DEFAULT NULL,
                               topic TEXT DEFAULT NULL, partition_key TEXT DEFAULT NULL, headers JSONB DEFAULT NULL,
                               id UUID DEFAULT NULL, max_retries INTEGER DEFAULT NULL, payload BYTEA DEFAULT NULL,
                               content_type TEXT DEFAULT NULL, tombstone BOOLEAN DEFAULT NULL) RETURNS UUID
        LANGUAGE sql VOLATILE
    BEGIN ATOMIC
        SELECT outbox_insert('outbox_events'::regclass, coalesce(outbox_add.id, outbox_new_id()), outbox_add.aggregate_type,
                             outbox_add.aggregate_id, outbox_add.event_type, outbox_add.data, outbox_add.topic,
                             outbox_add.partition_key, outbox_add.headers, outbox_add.max_retries, outbox_add.payload,
                             outbox_add.content_type, outbox_add.tombstone)
         WHERE outbox_check(outbox_add.aggregate_type, outbox_add.aggregate_id, outbox_add.event_type, outbox_add.data,
                            outbox_add.topic, outbox_add.partition_key, outbox_add.headers, outbox_add.max_retries,
                            outbox_add.payload, outbox_add.content_type, outbox_add.tombstone);
    END;

    IF given IS NOT NULL THEN
        REVOKE EXECUTE ON FUNCTION outbox_add FROM PUBLIC;
        FOR grantee IN SELECT CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END
                         FROM aclexplode(given) AS a WHERE a.privilege_type = 'EXECUTE' LOOP
            EXECUTE format('GRANT EXECUTE ON FUNCTION outbox_add TO %s', grantee);
        END LOOP;
    END IF;
END $$;
