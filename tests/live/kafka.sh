#!/bin/bash
# kafka.sh up|stop|kill|down: one Kafka broker (KRaft, its own controller).
#   up    starts it; also again after stop or kill, with the data it had
#   stop  ends it in order;  kill  ends it as a crash would (SIGKILL)
#   down  ends it and removes its data
# More lines for server.properties come from KAFKA_PROPERTIES at the first `up`.
set -euo pipefail
. "$(dirname "$0")/env.sh"
home=$RUN/kafka

# Two listeners, since the broker sends clients to the address it advertises:
# one for processes of the namespace, one that pods reach as well.
configure() {
    mkdir -p "$home"
    cat >"$home/server.properties" <<P
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:19093
controller.listener.names=CONTROLLER
listeners=HOST://127.0.0.1:19092,PODS://$ADDRESS:9092,CONTROLLER://127.0.0.1:19093
advertised.listeners=HOST://127.0.0.1:19092,PODS://$ADDRESS:9092
listener.security.protocol.map=HOST:PLAINTEXT,PODS:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=HOST
log.dirs=$home/data
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
group.initial.rebalance.delay.ms=0
broker.heartbeat.interval.ms=1000
broker.session.timeout.ms=6000
auto.create.topics.enable=false
${KAFKA_PROPERTIES:-}
P
    kafka_java kafka.tools.StorageTool format -t R3Jpc3RtaWxsS2Fma2FJZA -c "$home/server.properties" >"$home/format.log" 2>&1 ||
        die "formatting failed: $(tail -n 5 "$home/format.log")"
    touch "$home/formatted"
}

# The class path's star is Java's, not the shell's.
java_options=(-Dorg.slf4j.simpleLogger.showDateTime=true "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd HH:mm:ss.SSS")
kafka_java() { inside java -Xmx256m -XX:TieredStopAtLevel=1 "${java_options[@]}" -cp "$KAFKA_HOME/jars/*" "$@"; }

up() {
    need_netns
    [ -d "$KAFKA_HOME" ] || die "Kafka is not installed: run install.sh kafka first"
    [ -f "$home/formatted" ] || configure
    start kafka java -Xms256m -Xmx768m "${java_options[@]}" -cp "$KAFKA_HOME/jars/*" kafka.Kafka "$home/server.properties"
    waitfor kafka bash -c "exec 3<>/dev/tcp/127.0.0.1/19092 && exec 4<>/dev/tcp/$ADDRESS/9092"
}

case ${1:-} in
up) up ;;
stop) stop kafka 30 ;;
kill) kill_hard kafka ;;
down) stop kafka 10; rm -rf "$home" ;;
*) die "usage: kafka.sh up|stop|kill|down" ;;
esac
