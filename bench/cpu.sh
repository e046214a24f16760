# shellcheck shell=bash disable=SC2154 # variables of bench/run
# What the relay, PostgreSQL and the broker on this machine have spent so far.

# In seconds: of the relay, of all of PostgreSQL's processes, also those that have ended, and of whoever listens where Kafka does.
cpu_seconds() {
    local postmaster
    postmaster=$(head -n 1 "$(sql 'SHOW data_directory' postgres)/postmaster.pid")
    {
        cat "/proc/$program_pid/stat" "/proc/$(kafka_pid)/stat" "/proc/$postmaster/stat"
        pgrep -P "$postmaster" | sed 's|.*|/proc/&/stat|' | xargs cat 2>/dev/null || true # some end meanwhile
    } | awk -v hertz="$(getconf CLK_TCK)" '{ sub(/.*\) /, ""); ticks += $12 + $13 + $14 + $15 } END { print ticks / hertz }'
}

kafka_pid() {
    ss -ltnpH "sport = :${KAFKA_BROKERS##*:}" | sed -nE 's/.*pid=([0-9]+).*/\1/p' | head -n 1
}
