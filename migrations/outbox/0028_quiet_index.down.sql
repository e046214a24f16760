ALTER INDEX IF EXISTS outbox_events_seq SET (autosummarize = on);
