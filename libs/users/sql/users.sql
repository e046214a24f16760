-- The worked example's users.

-- fragment: user_columns
-- A user, as user_from() takes it.
id, email, name, to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
to_char(updated_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')

-- statement: users_insert
-- Makes a user.
INSERT INTO users (id, email, name, created_at, updated_at)
VALUES ($1, $2, $3, now(), now())
RETURNING {user_columns};

-- statement: users_update
-- Changes a user. The time is that of the clock, because now() may lie before the change that this one had to wait
-- for.
UPDATE users
   SET email = coalesce($2, email), name = coalesce($3, name), updated_at = greatest(clock_timestamp(), updated_at)
 WHERE id = $1
RETURNING {user_columns};

-- statement: users_lock
-- Locks a user, and reads the address.
SELECT email FROM users WHERE id = $1 FOR UPDATE;

-- statement: users_lock_addresses
-- Locks two addresses, in the order of their hashes. The class of these advisory locks is the server's own.
SELECT pg_advisory_xact_lock(1970496883, hash)
  FROM (SELECT DISTINCT hashtext(address) AS hash FROM unnest(ARRAY[$1, $2]::text[]) address ORDER BY 1) sorted;

-- statement: users_find
-- Finds a user.
SELECT {user_columns} FROM users WHERE id = $1;

-- statement: users_find_and_lock
-- Finds a user, and locks the row.
SELECT {user_columns} FROM users WHERE id = $1 FOR UPDATE;
