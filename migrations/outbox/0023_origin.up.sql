-- Where the outbox's id was made: server and database. A database that is copied before any relay has started, such as a
-- template, is another outbox then, and the first relay gives it an id of its own.
ALTER TABLE outbox_meta ADD COLUMN origin TEXT;
UPDATE outbox_meta
   SET origin = (SELECT system_identifier::text FROM pg_control_system()) || '/' ||
                (SELECT oid::text FROM pg_database WHERE datname = current_database());
