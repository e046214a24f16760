# shellcheck shell=bash disable=SC2154 # variables of bench/run
# How long after its commit a read_committed consumer sees an event.

bench_latency() {
    local rate=400 seconds=15 warm_up_seconds=30 figures
    fresh_database outbox_bench_latency
    start outbox-relay
    # Small transactions take other paths through the broker than a drain's, and it compiles those, too.
    ((${WARM_UP:-1} == 0)) || "$bin/outbox-bench-latency" "$rate" "$warm_up_seconds" >/dev/null ||
        fail 'not every event came' outbox-relay
    figures=$("$bin/outbox-bench-latency" "$rate" "$seconds") || fail 'not every event came' outbox-relay
    stop
    printf 'commit to consumer at %s events/s, %s\n' "$rate" "$figures"
    drop_database
}
