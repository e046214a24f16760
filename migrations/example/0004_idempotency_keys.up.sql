-- First answers of POST requests that carried an Idempotency-Key, kept for a day.
CREATE TABLE idempotency_keys (
    key          TEXT PRIMARY KEY CHECK (length(key) <= 255),
    request_hash BYTEA NOT NULL,
    status       INTEGER NOT NULL,
    location     TEXT,
    body         TEXT NOT NULL,
    expires_at   TIMESTAMPTZ NOT NULL
);
CREATE INDEX idempotency_keys_expiry ON idempotency_keys (expires_at);
