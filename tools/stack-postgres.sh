# shellcheck shell=bash disable=SC2154 # the stack's folder and deadlines
# The stack's PostgreSQL; part of tools/stack, which sources it.

find_postgres() {
    POSTGRES_BIN=$(find /usr/lib/postgresql -mindepth 2 -maxdepth 2 -name bin 2>/dev/null | sort -V | tail -n 1)
    [[ -x $POSTGRES_BIN/initdb ]] || fail "needs the PostgreSQL server; run tools/bootstrap"
}

# The working folder of root may be closed to others, hence the root folder.
as_postgres() {
    if ((EUID == 0)); then
        (cd / && exec setpriv --reuid=postgres --regid=postgres --init-groups -- "$@")
    else
        "$@"
    fi
}

pg_ctl() {
    as_postgres "$POSTGRES_BIN/pg_ctl" -D "$dir/postgres" -s -w -t "$start_deadline_s" "$@" 8>&- 9>&-
}

postgres_port() { variable DB_PORT; }
postgres_ready() { postgres_answers 127.0.0.1 "$(postgres_port)" postgres postgres; }

# The file that the server keeps; DIR/postgres.pid is its number for others.
postgres_pid() {
    local pid
    pid=$(head -n 1 "$dir/postgres/postmaster.pid" 2>/dev/null) && runs "$pid" && echo "$pid"
}

start_postgres() {
    find_postgres
    [[ -e $dir/postgres.initialised ]] || init_postgres
    if ! postgres_pid >/dev/null; then
        if ! pg_ctl start -l "$dir/postgres.log"; then
            tail -n 20 "$dir/postgres.log" >&2
            return 1
        fi
    fi
    postgres_pid >"$dir/postgres.pid"
    await "$start_deadline_s" postgres_ready || fail "PostgreSQL does not answer; see $dir/postgres.log"
}

init_postgres() {
    rm -rf "$dir/postgres"
    install -d -m 700 "$dir/postgres"
    echo postgres >"$dir/password"
    touch "$dir/postgres.log"
    ((EUID != 0)) || chown postgres: "$dir/postgres" "$dir/postgres.log"
    as_postgres "$POSTGRES_BIN/initdb" -D "$dir/postgres" -U postgres --pwfile "$dir/password" --auth scram-sha-256 \
        --encoding UTF8 --locale C.UTF-8 --no-sync >"$dir/initdb.log" 8>&- 9>&-
    cat >>"$dir/postgres/postgresql.conf" <<END
listen_addresses = '127.0.0.1'
port = $(postgres_port)
unix_socket_directories = ''
max_connections = 200
shared_buffers = 256MB
max_wal_size = 2GB
log_line_prefix = '%m [%p] %q%u@%d '
${STACK_POSTGRES_OPTIONS:-}
END
    touch "$dir/postgres.initialised"
}

stop_postgres() {
    find_postgres
    if postgres_pid >/dev/null; then
        pg_ctl stop -m fast
    fi
}

# The server itself first, so that it starts no more of them.
postgres_pids() {
    local pid
    pid=$(postgres_pid) && cat - "/proc/$pid/task/$pid/children" <<<"$pid"
}

signal_postgres() {
    need_stack
    local pid
    for pid in $(postgres_pids); do
        kill "-$1" "$pid" 2>/dev/null || true # a session may have ended meanwhile
        [[ $1 != STOP ]] || await 5 stopped "$pid" || fail "process $pid of PostgreSQL goes on"
    done
}

# Nobody is left to remove the file that says that it runs.
kill_postgres() {
    local pids pid
    pids=$(postgres_pids) || return 0
    for pid in $pids; do
        kill -KILL "$pid" 2>/dev/null || true
    done
    for pid in $pids; do
        await "$stop_deadline_s" gone "$pid" || fail "process $pid of PostgreSQL does not end"
    done
    rm -f "$dir/postgres/postmaster.pid"
}

restart_postgres() {
    stop_postgres
    start_postgres
}
