#!/usr/bin/env bash
# A BRIN index with autosummarize writes a line into PostgreSQL's log, with the writer's whole statement, for each page range
# that autovacuum's queue has no room for.
#
# Seen on 2026-11-30 with PostgreSQL 18.6 (and 15.18): one INSERT of 400,000 rows into a table with a BRIN index of 4 pages a
# range and autosummarize=on leaves several hundred lines `LOG:  request for BRIN range summarization for index "..." page N was
# not recorded` behind, each with a STATEMENT line that repeats the INSERT, its values included. They are of level LOG, so
# log_min_messages = error does not keep them out. Nothing is wrong with the index: VACUUM makes the summaries later.
# Guessed before: a request that finds no room is dropped in silence, or said once.
set -euo pipefail
# shellcheck source=findings/postgres.bash
. "$(dirname "${BASH_SOURCE[0]}")/postgres.bash"
start_postgres "-c log_min_messages=error"
"$python" - "$socket" <<'PYTHON'
import sys
import pg8000.native

session = pg8000.native.Connection("postgres", unix_sock=sys.argv[1])
print(session.run("SHOW server_version")[0][0])
session.run("CREATE TABLE event (seq bigint, data text)")
session.run("CREATE INDEX ON event USING brin (seq) WITH (pages_per_range = 4, autosummarize = on)")
session.run("INSERT INTO event SELECT i, 'a value of the writer' FROM generate_series(1, 400000) AS i")
PYTHON
lines=$(grep -c 'LOG:  request for BRIN range summarization .* was not recorded' "$folder/data/log" || true)
statements=$(grep -c 'STATEMENT:  INSERT .*a value of the writer' "$folder/data/log" || true)
echo "$lines lines about ranges, $statements of them with the statement"
((lines > 100 && statements == lines))
