-- An index that asks autovacuum for a summary of each few pages fills the server's log: when a statement adds more of them than
-- autovacuum's queue holds (256), each page range is a line there, with the writer's whole statement. VACUUM and the
-- beginning of a replay (outbox_summarize_seq) make the summaries in any case.
ALTER INDEX IF EXISTS outbox_events_seq SET (autosummarize = off);
