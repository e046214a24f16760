# shellcheck shell=bash disable=SC2154 # variables of bench/run
# What the parts of bench/run share. $bin: the programs; $work: a folder that ends with the run.

program_pid=

# start PROGRAM [ARGUMENT...]: one at a time; its log is $work/PROGRAM.log.
start() {
    "$bin/$1" "${@:2}" >"$work/$1.log" 2>&1 </dev/null &
    program_pid=$!
}

stop() {
    kill "$program_pid"
    wait "$program_pid"
    program_pid=
}

finish() {
    [[ -z $program_pid ]] || kill "$program_pid" 2>/dev/null || true
    rm -rf "$work"
}

sql() {
    PGPASSWORD=$DB_PASSWORD psql -qAtX -h "$DB_HOST" -p "$DB_PORT" -U "$DB_USER" -d "${2:-$DB_NAME}" -c "$1"
}

# A database of this run's own. Its name is the outbox's, too, and Kafka knows an outbox longer than its database lives.
fresh_database() {
    export DB_NAME=$1_$$
    "$bin/outbox-migrate" up 2>"$work/outbox-migrate.log" || fail 'no database' outbox-migrate
}

# With the topics of that name.
drop_database() {
    sql "DROP DATABASE $DB_NAME WITH (FORCE)" postgres
    tools/kafka-cli topics --bootstrap-server "$KAFKA_BROKERS" --delete --topic "$DB_NAME(-replay)?|outbox\\.$DB_NAME\\.(control|backfill)" \
        >"$work/kafka-cli.log" 2>&1 || fail 'topics are left' kafka-cli
}

# Waits until nothing is unsent; fails after 5 minutes, or later where EVENTS are very many.
wait_sent() {
    local deadline=$((SECONDS + 300 + ${EVENTS:-0} / 5000))
    while [[ $(sql "SELECT EXISTS (SELECT 1 FROM outbox_events WHERE unsent AND next_attempt_at IS NULL)") == t ]]; do
        ((SECONDS < deadline)) || fail 'not drained in time' outbox-relay
        sleep 3 # asking is work, too: a tenth of a second of two processors that are busy
    done
}

# fail MESSAGE [PROGRAM]: with the end of the program's log.
fail() {
    echo "bench: $1" >&2
    [[ -z ${2:-} ]] || tail -n 5 "$work/$2.log" >&2
    exit 1
}

print_machine() {
    printf 'commit %s, %s, %s processors, %s, load %s, shared_buffers %s\n' "$(git rev-parse --short HEAD 2>/dev/null || echo unknown)" \
        "$(uname -m)" "$(nproc)" "$(awk -F': ' '/model name/ {print $2; exit}' /proc/cpuinfo)" \
        "$(cut -d ' ' -f 1 /proc/loadavg)" "$(sql 'SHOW shared_buffers' postgres)"
}

# The middle of the numbers on stdin.
median() {
    sort -g | awk '{ n[NR] = $1 } END { print NR % 2 ? n[(NR + 1) / 2] : (n[NR / 2] + n[NR / 2 + 1]) / 2 }'
}
