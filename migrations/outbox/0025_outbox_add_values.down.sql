DROP FUNCTION outbox_add(TEXT, TEXT, TEXT, JSONB, TEXT, TEXT, JSONB, UUID, INTEGER, BYTEA, TEXT, BOOLEAN);
DROP FUNCTION outbox_insert(REGCLASS, UUID, TEXT, TEXT, TEXT, JSONB, TEXT, TEXT, JSONB, INTEGER, BYTEA, TEXT, BOOLEAN);
DROP FUNCTION outbox_check(TEXT, TEXT, TEXT, JSONB, TEXT, TEXT, JSONB, INTEGER, BYTEA, TEXT, BOOLEAN);
DO $down$
BEGIN
    IF to_regproc('outbox_add_json') IS NOT NULL THEN
        ALTER FUNCTION outbox_add_json RENAME TO outbox_add;
        RETURN;
    END IF;
    -- Refuses what could not be sent: the names of the arguments in the message, SQLSTATE 22023 (invalid_parameter_value).
    CREATE FUNCTION outbox_check(aggregate_type TEXT, aggregate_id TEXT, event_type TEXT, data JSONB, topic TEXT,
                                 partition_key TEXT, headers JSONB, max_retries INTEGER) RETURNS BOOLEAN
        LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    DECLARE
        field text;
        given text;
        why   text;
    BEGIN
        FOR field, given IN VALUES ('aggregate_type', aggregate_type), ('aggregate_id', aggregate_id), ('event_type', event_type),
                                   ('topic', topic), ('partition_key', coalesce(partition_key, '-')) LOOP
            why := CASE WHEN given IS NULL THEN field || ' is NULL'
                        WHEN given = '' THEN field || ' is empty'
                        WHEN length(given) > 255 THEN field || ' has more than 255 characters' END;
            EXIT WHEN why IS NOT NULL;
        END LOOP;
        IF why IS NULL THEN
            why := CASE
                WHEN data IS NULL THEN 'data is NULL: JSON''s null is ''null''::jsonb'
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

    -- The table is an argument and the statement is put together at each call: a body that names the table's columns would keep
    -- their types from being changed, one that names its schema would not follow when that is renamed. No RETURNING, which would
    -- need the right to read.
    CREATE FUNCTION outbox_insert(events REGCLASS, id UUID, aggregate_type TEXT, aggregate_id TEXT, event_type TEXT, data JSONB,
                                  topic TEXT, partition_key TEXT, headers JSONB, max_retries INTEGER) RETURNS UUID
        LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
    BEGIN
        EXECUTE format('INSERT INTO %s (id, aggregate_type, aggregate_id, event_type, event_data, topic, partition_key, headers,'
                       ' max_retries) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)', events)
            USING id, aggregate_type, aggregate_id, event_type, data, topic, partition_key, headers, max_retries;
        RETURN id;
    END $$;

    -- In the writer's own transaction, with the writer's own rights: INSERT on outbox_events.
    CREATE FUNCTION outbox_add(aggregate_type TEXT, aggregate_id TEXT, event_type TEXT, data JSONB, topic TEXT,
                               partition_key TEXT DEFAULT NULL, headers JSONB DEFAULT NULL, id UUID DEFAULT NULL,
                               max_retries INTEGER DEFAULT NULL) RETURNS UUID
        LANGUAGE sql VOLATILE
    BEGIN ATOMIC
        SELECT outbox_insert('outbox_events'::regclass, coalesce(outbox_add.id, outbox_new_id()), outbox_add.aggregate_type,
                             outbox_add.aggregate_id, outbox_add.event_type, outbox_add.data, outbox_add.topic,
                             outbox_add.partition_key, outbox_add.headers, outbox_add.max_retries)
         WHERE outbox_check(outbox_add.aggregate_type, outbox_add.aggregate_id, outbox_add.event_type, outbox_add.data,
                            outbox_add.topic, outbox_add.partition_key, outbox_add.headers, outbox_add.max_retries);
    END;
END $down$;
