# shellcheck shell=bash disable=SC2154 # variables of bench/run
# How fast outbox-backfill replays what a relay has just drained, and how much memory it takes: the relay's own rate on
# the same rows stands beside it. However many EVENTS there are, such as 10000000, more memory than this is a failure.
backfill_memory_mb=64

bench_backfill() {
    local events=${EVENTS:-500000} drained replayed peak=0 now
    fresh_database outbox_bench_backfill
    load_backlog "$events"
    sql "CHECKPOINT"
    start outbox-relay
    wait_sent
    stop
    drained=$(sql "SELECT round(count(*) / extract(epoch FROM max(processed_at) - min(processed_at))) FROM outbox_events")
    sql "CHECKPOINT"
    start outbox-backfill --topic "$DB_NAME-replay" --run bench
    while now=$(awk '/VmHWM/ {printf "%.0f", $2 / 1024}' "/proc/$program_pid/status" 2>/dev/null) && [[ -n $now ]]; do
        peak=$now
        sleep 0.2
    done
    wait "$program_pid" || fail 'the replay failed' outbox-backfill
    program_pid=
    replayed=$(sql "SELECT round(published / extract(epoch FROM finished_at - started_at)) FROM outbox_backfills")
    printf 'backfill of %s events  %8s events/s   outbox-backfill %s MB at most, of %s allowed   the relay drained them at %s events/s\n' \
        "$events" "$replayed" "$peak" "$backfill_memory_mb" "$drained"
    drop_database
    ((peak > 0 && peak <= backfill_memory_mb)) || fail "outbox-backfill took $peak MB, $backfill_memory_mb are allowed"
}
