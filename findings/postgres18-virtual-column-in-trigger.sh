#!/usr/bin/env bash
# A virtual generated column of PostgreSQL 18 reads as NULL in an AFTER trigger, without an error.
#
# Seen on 2026-11-30 with PostgreSQL 18.6: of a row ('a') of a table (a text, v text GENERATED ALWAYS AS (a || 'x') VIRTUAL) a SELECT
# gives v = 'ax', but an AFTER INSERT trigger sees NULL: in NEW.v of a row trigger, and in the transition table of a statement
# trigger. There is no notice, so a copy that a trigger writes elsewhere holds NULL where the table shows a value.
# Guessed before: the value, or an error as for other uses that virtual columns do not support.
set -euo pipefail
# shellcheck source=findings/postgres.bash
. "$(dirname "${BASH_SOURCE[0]}")/postgres.bash"
start_postgres ""
"$python" - "$socket" <<'PYTHON'
import sys
import pg8000.native

session = pg8000.native.Connection("postgres", unix_sock=sys.argv[1])
print(session.run("SHOW server_version")[0][0])
session.run("CREATE TABLE t (a text, v text GENERATED ALWAYS AS (a || 'x') VIRTUAL)")
session.run("CREATE TABLE seen (how text, v text)")
session.run("CREATE FUNCTION by_row() RETURNS trigger LANGUAGE plpgsql AS "
            "'BEGIN INSERT INTO seen VALUES (''row'', NEW.v); RETURN NULL; END'")
session.run("CREATE FUNCTION by_statement() RETURNS trigger LANGUAGE plpgsql AS "
            "'BEGIN INSERT INTO seen SELECT ''statement'', v FROM inserted; RETURN NULL; END'")
session.run("CREATE TRIGGER a AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION by_row()")
session.run("CREATE TRIGGER b AFTER INSERT ON t REFERENCING NEW TABLE AS inserted "
            "FOR EACH STATEMENT EXECUTE FUNCTION by_statement()")
session.run("INSERT INTO t VALUES ('a')")
table = session.run("SELECT v FROM t")
seen = sorted(session.run("SELECT how, v FROM seen"))
print("the table shows", table, "the triggers saw", seen)
if table != [["ax"]] or seen != [["row", None], ["statement", None]]:
    sys.exit("it is otherwise now")
PYTHON
