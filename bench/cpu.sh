# shellcheck shell=bash
# What the relay, PostgreSQL and the broker on this machine have spent so far.

# In seconds: of the relay, of all of PostgreSQL's processes, also those that have ended, and of whoever listens where Kafka does.
cpu_seconds() {
    local postmaster
    postmaster=$(head -n 1 "$(sql 'SHOW data_directory' postgres)/postmaster.pid")
    {
        cat "/proc/$program_pid/stat" "/proc/$(kafka_pid)/stat" "/proc/$postmaster/stat"
        cat $(pgrep -P "$postmaster" | sed 's|.*|/proc/&/stat|') 2>/dev/null
    } | awk -v hertz="$(getconf CLK_TCK)" '{ sub(/.*\) /, ""); sum += $12 + $13 + $14 + $15 } END { print sum / hertz }'
}

kafka_pid() {
    ss -ltnpH "sport = :${KAFKA_BROKERS##*:}" | sed -nE 's/.*pid=([0-9]+).*/\1/p' | head -n 1
}
