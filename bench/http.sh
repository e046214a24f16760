# shellcheck shell=bash disable=SC2154 # variables of bench/run
# POST /users against pgbench with the same SQL and as many connections to the database. They take turns, because
# a machine is never as fast as a minute ago: what counts is the ratio of neighbours.

bench_http() {
    local connections=8 rounds=${ROUNDS:-5} seconds=${SECONDS_EACH:-6} port round
    fresh_database outbox_bench_http
    start outbox-server --port 0 --server-workers "$connections" --kafka-topic "$DB_NAME"
    port=$(listening_port) || fail 'the server does not listen' outbox-server
    for ((round = 1; round <= rounds; round++)); do
        sql "CHECKPOINT"
        pgbench_rate "$connections" "$seconds" >>"$work/pgbench"
        sql "CHECKPOINT"
        post_rate "$port" "$seconds" "$round" >>"$work/post"
    done
    printf 'POST /users %s/s, pgbench with the same SQL %s/s, ratio %.2f (medians of %s rounds; ratios %s)\n' \
        "$(median <"$work/post")" "$(median <"$work/pgbench")" "$(ratios | median)" "$rounds" "$(ratios | xargs)"
    stop
    drop_database
}

listening_port() {
    local deadline=$((SECONDS + 20))
    until grep -q '"listening"' "$work/outbox-server.log"; do
        ((SECONDS < deadline)) || return 1
        sleep 0.05
    done
    sed -nE '/"listening"/s/.*"port":([0-9]+).*/\1/p' "$work/outbox-server.log"
}

# pgbench_rate CONNECTIONS SECONDS
pgbench_rate() {
    PGPASSWORD=$DB_PASSWORD pgbench -h "$DB_HOST" -p "$DB_PORT" -U "$DB_USER" -n -f bench/users.sql -M prepared \
        -c "$1" -j 2 -T "$2" "$DB_NAME" >"$work/pgbench.log" 2>&1 || fail 'pgbench failed' pgbench
    sed -nE 's/^tps = ([0-9]+).*/\1/p' "$work/pgbench.log"
}

# post_rate PORT SECONDS ROUND: fails when anything but 201 is answered.
post_rate() {
    wrk -t 1 -c 64 -d "$2" -s bench/users.lua "http://127.0.0.1:$1/users" -- "$3" >"$work/wrk.log"
    ! grep -qE 'Non-2xx|Socket errors' "$work/wrk.log" || fail 'not every request was answered 201' wrk
    awk '/^Requests\/sec/ { printf "%.0f\n", $2 }' "$work/wrk.log"
}

ratios() {
    paste "$work/post" "$work/pgbench" | awk '{ printf "%.2f\n", $1 / $2 }'
}
