-- The worked example's business table. A table that already stands is taken as it is.
DO $$
BEGIN
    IF to_regclass('users') IS NOT NULL THEN
        COMMENT ON TABLE users IS 'adopted by outbox-migrate: down keeps it';
    END IF;
END $$;

CREATE TABLE IF NOT EXISTS users (
    id         UUID PRIMARY KEY,
    email      VARCHAR(255) UNIQUE NOT NULL,
    name       VARCHAR(255) NOT NULL,
    created_at TIMESTAMPTZ,
    updated_at TIMESTAMPTZ
);
