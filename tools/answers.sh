# shellcheck shell=bash
# Questions to servers, for other scripts to source. Each returns 0 for a real answer and waits two seconds at most.
# At the end what goes with them: ports on which nobody answers, and waiting for an answer.

# tcp_answers HOST PORT: somebody listens there.
tcp_answers() {
    # shellcheck disable=SC2016 # expanded by the inner shell
    timeout 2 bash -c 'exec 3<>"/dev/tcp/$0/$1"' "$1" "$2" 2>/dev/null
}

# postgres_answers HOST PORT USER PASSWORD [DATABASE]: a query gets its result. HOST may be the folder of a socket,
# POSTGRES_BIN is the folder of psql.
postgres_answers() {
    PGPASSWORD=$4 PGCONNECT_TIMEOUT=2 timeout 3 "${POSTGRES_BIN:+$POSTGRES_BIN/}psql" -X -q -At -h "$1" -p "$2" -U "$3" \
        -d "${5:-postgres}" -c 'SELECT 1' >/dev/null 2>&1
}

# kafka_answers HOST PORT: a Metadata request (key 3, version 1, no topics) names at least one broker.
# The answer starts with four bytes of length, the correlation id 7, and the number of brokers.
kafka_answers() {
    local answer
    # shellcheck disable=SC2016 # expanded by the inner shell
    answer=$(timeout 2 bash -c '
        exec 3<>"/dev/tcp/$0/$1"
        printf "\0\0\0\x0e\0\x03\0\x01\0\0\0\x07\xff\xff\0\0\0\0" >&3
        head -c 12 <&3 | od -An -v -tu1' "$1" "$2" 2>/dev/null) || return 1
    # shellcheck disable=SC2086 # the words are the bytes
    set -- $answer
    ((${8:-0} == 7 && ${12:-0} > 0))
}

# named_servers_answer: DB_* or KAFKA_BROKERS name servers, which both answer as the programs will ask them; what is not
# set counts as their default. Says on stderr which one does not.
named_servers_answer() {
    [[ -n ${DB_HOST:-}${DB_PORT:-}${DB_USER:-}${DB_PASSWORD:-}${DB_PASSWORD_FILE:-}${DB_NAME:-}${KAFKA_BROKERS:-} ]] || return 1
    if ! named_postgres_answers; then
        echo "PostgreSQL does not answer ${DB_USER:-postgres} at ${DB_HOST:-localhost}:${DB_PORT:-5432}; using the local stack" >&2
        return 1
    fi
    named_kafka_answers || {
        echo "Kafka does not answer at ${KAFKA_BROKERS:-localhost:9092}; using the local stack" >&2
        return 1
    }
}

# In the database named, or, as long as nobody has made that one, in the one that all servers have.
named_postgres_answers() {
    local database
    for database in "${DB_NAME:-outbox_db}" postgres; do
        ! postgres_answers "${DB_HOST:-localhost}" "${DB_PORT:-5432}" "${DB_USER:-postgres}" "$(named_password)" \
            "$database" || return 0
    done
    return 1
}

named_password() {
    if [[ -z ${DB_PASSWORD:-} && -n ${DB_PASSWORD_FILE:-} ]]; then
        cat "$DB_PASSWORD_FILE"
    else
        printf '%s' "${DB_PASSWORD:-postgres}"
    fi
}

# One of the brokers. Of those that want encryption or a password it is asked only whether they listen.
named_kafka_answers() {
    local addresses address host question=kafka_answers
    [[ ${KAFKA_SECURITY_PROTOCOL:-PLAINTEXT} == PLAINTEXT ]] || question=tcp_answers
    IFS=', ' read -ra addresses <<<"${KAFKA_BROKERS:-localhost:9092}"
    for address in "${addresses[@]}"; do
        host=${address%:*} host=${host#[} host=${host%]}
        ! "$question" "$host" "${address##*:}" || return 0
    done
    return 1
}

# free_ports COUNT: below the range that the kernel gives to outgoing connections. Where to look first depends on the
# process id, so that two stacks that start at the same moment look at different ports.
free_ports() {
    local port=$((20000 + $$ * 7 % 12000)) found=0
    while ((found < $1)); do
        if ! tcp_answers 127.0.0.1 "$port"; then
            echo "$port"
            found=$((found + 1))
        fi
        port=$((port < 32000 ? port + 1 : 20000))
    done
}

# await SECONDS CONDITION...: asks again and again.
await() {
    local deadline=$((SECONDS + $1))
    shift
    until "$@"; do
        ((SECONDS < deadline)) || return 1
        sleep 0.05
    done
}
