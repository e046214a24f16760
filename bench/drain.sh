# shellcheck shell=bash disable=SC2154 # variables of bench/run
# How fast one relay empties a backlog of 300-byte events of 10,000 keys, and how much memory it takes.

warm_up() {
    ((${WARM_UP:-1000000} > 0)) || return 0
    fresh_database outbox_bench_warm_up
    load_backlog "${WARM_UP:-1000000}"
    start outbox-relay
    wait_sent
    stop
    drop_database
}

bench_drain() {
    drain on
    drain off
}

load_backlog() {
    "$bin/outbox-load" --copy --events "$1" --keys 10000 --size 300 --topic "$DB_NAME" >"$work/load.log" 2>&1
}

# drain on|off: with or without row-level PROCESSING.
drain() {
    local events=${EVENTS:-500000} rate peak
    fresh_database "outbox_bench_drain_$1"
    load_backlog "$events"
    sql "CHECKPOINT"
    start outbox-relay --relay-track-processing "$1"
    wait_sent
    rate=$(sql "SELECT round(count(*) / extract(epoch FROM max(processed_at) - min(processed_at))) FROM outbox_events")
    peak=$(awk '/VmHWM/ {printf "%.0f", $2 / 1024}' "/proc/$program_pid/status")
    stop
    printf 'drain of %s events, row-level PROCESSING %-3s  %8s events/s   relay %s MB at most\n' "$events" "$1" "$rate" "$peak"
    drop_database
}
