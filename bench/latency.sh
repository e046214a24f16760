# shellcheck shell=bash disable=SC2154 # variables of bench/run
# How long after its commit a read_committed consumer sees an event.

bench_latency() {
    local rate=400 seconds=15 figures
    fresh_database outbox_bench_latency
    start outbox-relay
    figures=$("$bin/outbox-bench-latency" "$rate" "$seconds") || fail 'not every event came' outbox-relay
    stop
    printf 'commit to consumer at %s events/s, %s\n' "$rate" "$figures"
    drop_database
}
