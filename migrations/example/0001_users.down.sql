DO $$
BEGIN
    IF obj_description(to_regclass('users'), 'pg_class') LIKE 'adopted by outbox-migrate%' THEN
        COMMENT ON TABLE users IS NULL;
    ELSE
        DROP TABLE IF EXISTS users;
    END IF;
END $$;
