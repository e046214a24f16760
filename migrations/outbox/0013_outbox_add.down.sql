DROP FUNCTION outbox_add;
DROP FUNCTION outbox_insert;
DROP FUNCTION outbox_check;
DO $$
BEGIN
    IF obj_description('outbox_new_id()'::regprocedure, 'pg_proc') IS NOT NULL THEN
        ALTER TABLE outbox_events ALTER COLUMN id DROP DEFAULT;
    END IF;
END $$;
DROP FUNCTION outbox_new_id;
