-- Who has done what with the verbs of outbox-relay.

-- statement: outbox_write_audit
-- Opens an entry of the audit.
INSERT INTO outbox_audit (who, why, verb, selection, forced)
 VALUES ($1 || ' as ' || session_user, $2, $3, $4, $5::boolean)
 RETURNING id;

-- statement: outbox_add_audit
-- Adds to the rows that a verb has changed.
UPDATE outbox_audit SET rows = rows + $2 WHERE id = $1;
