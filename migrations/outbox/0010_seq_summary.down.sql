DROP FUNCTION outbox_summarize_seq;
