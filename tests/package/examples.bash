# shellcheck shell=bash
# Sourced by the tests of the examples: a folder and a database of their own, with the accounts of examples/accounts.sql.
set -euo pipefail
# shellcheck disable=SC2034 # for those who source this
examples=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../examples" && pwd)
folder=$(mktemp -d "${TMPDIR:-/tmp}/outbox-examples.XXXXXX")
export DB_NAME=examples_$$_$RANDOM
export OUTBOX_NAME=named-otherwise-$DB_NAME # the examples work under any name
export PGHOST=$DB_HOST PGPORT=$DB_PORT PGUSER=$DB_USER PGPASSWORD=$DB_PASSWORD PGDATABASE=$DB_NAME

leave() {
    local code=$? jobs
    jobs=$(jobs -p)
    # shellcheck disable=SC2086 # several
    [[ -z $jobs ]] || kill $jobs 2>/dev/null || true
    PGDATABASE=postgres psql -qc "DROP DATABASE IF EXISTS $DB_NAME WITH (FORCE)"
    rm -rf "$folder"
    exit "$code"
}
trap leave EXIT

# make_database BIN
make_database() {
    PGDATABASE=postgres psql -qc "CREATE DATABASE $DB_NAME"
    "$1/outbox-migrate" up >/dev/null
    psql -qv ON_ERROR_STOP=1 -f "$examples/accounts.sql"
}

refuses() {
    if "$@" 2>"$folder/errors"; then
        echo "should have failed: $*" >&2
        exit 1
    fi
    [[ -s $folder/errors ]]
}

# expect TEXT SQL
expect() {
    diff <(echo "$1") <(psql -qAt -c "$2")
}

# wait_for TEXT SQL: until the statement says so.
wait_for() {
    local deadline=$((SECONDS + 90))
    until [[ $(psql -qAt -c "$2") == "$1" ]]; do
        if ((SECONDS >= deadline)); then
            psql -c "SELECT seq, event_type, status, error_message FROM outbox_events ORDER BY seq" >&2
            echo "in vain waited for $1: $2" >&2
            exit 1
        fi
        sleep 0.05
    done
}
