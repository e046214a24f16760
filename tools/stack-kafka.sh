# shellcheck shell=bash disable=SC2154 # the stack's folder and deadlines
# The stack's Kafka; part of tools/stack, which sources it.

broker_count() { wc -l <"$dir/controller.ports"; }
chosen_brokers() { if [[ -n $broker ]]; then echo "$broker"; else seq "$(broker_count)"; fi; }
broker_name() { if (($(broker_count) == 1)); then echo kafka; else echo "kafka-$1"; fi; }

# each_broker COMMAND...: with the number of each broker that is meant, side by side.
each_broker() {
    [[ -z $broker ]] || ((broker <= $(broker_count))) || fail "there is no broker $broker" 2
    local number pid pids=() failed=0
    for number in $(chosen_brokers); do
        "$1" "$number" "${@:2}" &
        pids+=($!)
    done
    for pid in "${pids[@]}"; do
        wait "$pid" || failed=1
    done
    return "$failed"
}

kafka_port() {
    local brokers
    IFS=, read -ra brokers < <(variable KAFKA_BROKERS)
    echo "${brokers[$1 - 1]##*:}"
}

kafka_ready() { kafka_answers 127.0.0.1 "$(kafka_port "$1")"; }
kafka_ready_or_gone() { kafka_ready "$1" || ! kill -0 "$(<"$dir/$(broker_name "$1").pid")" 2>/dev/null; }

start_kafka() {
    local jars
    jars=$("$tools/kafka-jars" 8>&- 9>&-)
    [[ -e $dir/kafka.initialised ]] || init_kafka "$jars"
    each_broker locked_broker start_broker "$jars"
}

start_broker() {
    local number=$1 jars=$2 name
    name=$(broker_name "$number")
    if ! process_pid "$name" >/dev/null; then
        kafka_java "$jars" -Xms256m -Xmx512m -XX:+UseG1GC -XX:MaxGCPauseMillis=20 \
            kafka.Kafka "$dir/$name.properties" </dev/null >>"$dir/$name.log" 2>&1 8>&- 9>&- &
        echo $! >"$dir/$name.pid"
    fi
    if await "$start_deadline_s" kafka_ready_or_gone "$number" && kafka_ready "$number"; then
        return 0
    fi
    tail -n 20 "$dir/$name.log" >&2
    fail "Kafka does not answer; see $dir/$name.log"
}

# A session of its own: a Ctrl-C in the shell that started the stack is not for the server.
kafka_java() {
    local jars=$1 archive
    shift
    mapfile -t archive < <("$tools/kafka-archive" "$jars")
    # shellcheck disable=SC2086 # several options
    exec setsid java -cp "$jars/*" "${archive[@]}" ${STACK_JAVA_OPTIONS:-} -Djava.awt.headless=true \
        -Dlog4j2.configurationFile="$tools/kafka/log4j2.properties" "$@"
}

init_kafka() {
    local cluster
    cluster=$(cluster_id)
    each_broker init_broker "$1" "$cluster"
    touch "$dir/kafka.initialised"
}

# After a kill -9 the controller accepts the same broker again only when its old session has ended, hence the short one.
init_broker() {
    local number=$1 jars=$2 cluster=$3 name port controllers count copies listener
    name=$(broker_name "$number")
    port=$(kafka_port "$number")
    mapfile -t controllers <"$dir/controller.ports"
    count=${#controllers[@]}
    copies=$((count < 3 ? count : 3))
    listener=${STACK_KAFKA_LISTENER:-}
    listener=${listener//%n/$number}
    rm -rf "${dir:?}/$name"
    cat >"$dir/$name.properties" <<END
process.roles=broker,controller
node.id=$number
controller.quorum.voters=$(paste -sd, < <(awk '{ print NR "@127.0.0.1:" $1 }' "$dir/controller.ports"))
listeners=PLAINTEXT://127.0.0.1:$port,CONTROLLER://127.0.0.1:${controllers[number - 1]}${listener:+,$listener}
advertised.listeners=PLAINTEXT://127.0.0.1:$port${listener:+,$listener}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL_SSL:SASL_SSL
controller.listener.names=CONTROLLER
log.dirs=$dir/$name
auto.create.topics.enable=false
default.replication.factor=$copies
min.insync.replicas=$((copies < 3 ? 1 : 2))
offsets.topic.replication.factor=$copies
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=$copies
transaction.state.log.min.isr=$((copies < 3 ? 1 : 2))
transaction.state.log.num.partitions=8
group.initial.rebalance.delay.ms=0
broker.heartbeat.interval.ms=500
broker.session.timeout.ms=4000
initial.broker.registration.timeout.ms=$((start_deadline_s * 1000))
log.cleaner.dedupe.buffer.size=16777216
${STACK_KAFKA_OPTIONS:-}
END
    (kafka_java "$jars" -XX:TieredStopAtLevel=1 -Dkafka.log.level=warn kafka.tools.StorageTool \
        format --cluster-id "$cluster" --config "$dir/$name.properties" </dev/null >"$dir/$name-format.log" 2>&1 8>&- 9>&-) ||
        { cat "$dir/$name-format.log" >&2 && fail "Kafka's storage could not be formatted"; }
}

# 16 random bytes as Kafka writes a UUID; the first character is fixed because it must not be a dash.
cluster_id() {
    printf 'O%s' "$(head -c 16 /dev/urandom | base64 | tr '+/' '-_' | cut -c 2-22)"
}

locked_broker() { one_at_a_time "kafka-$1" "$2" "$1" "${@:3}"; }
stop_kafka() { each_broker locked_broker end_broker TERM; }
kill_kafka() { each_broker locked_broker end_broker KILL; }
end_broker() { stop_process "$(broker_name "$1")" "$2"; }

signal_kafka() {
    need_stack
    each_broker signal_broker "$1"
}

signal_broker() {
    local pid
    pid=$(process_pid "$(broker_name "$1")") || fail "broker $1 does not run"
    kill "-$2" "$pid"
    [[ $2 != STOP ]] || await 5 stopped "$pid" || fail "process $pid of Kafka goes on"
}
