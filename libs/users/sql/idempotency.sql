-- Answers to requests that carry an idempotency key.

-- statement: idempotency_lock
-- Locks a key, until the end of the transaction. The class of these advisory locks is the server's own; the outbox
-- has some from 1868693505 on.
SELECT pg_advisory_xact_lock(1970496882, hashtext($1));

-- statement: idempotency_find
-- Finds the answer to a request that was made with key $1, and whether the request was the same.
SELECT status, location, body, request_hash = sha256(convert_to($2, 'UTF8'))
  FROM idempotency_keys
 WHERE key = $1
   AND expires_at > now();

-- statement: idempotency_store
-- Keeps an answer for a day. A row that stands there has expired and was not purged yet.
INSERT INTO idempotency_keys (key, request_hash, status, location, body, expires_at)
VALUES ($1, sha256(convert_to($2, 'UTF8')), $3, $4, $5, now() + interval '1 day')
 ON CONFLICT (key) DO UPDATE
   SET request_hash = excluded.request_hash, status = excluded.status, location = excluded.location,
       body = excluded.body, expires_at = excluded.expires_at;

-- statement: idempotency_purge
-- Deletes some answers that have expired.
DELETE FROM idempotency_keys
 WHERE key IN (SELECT key
                 FROM idempotency_keys
                WHERE expires_at <= now()
                ORDER BY expires_at
                LIMIT $1
                  FOR UPDATE SKIP LOCKED);
