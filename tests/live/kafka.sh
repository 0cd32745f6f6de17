#!/bin/bash
# kafka.sh up|stop|kill|down [NODE]: a Kafka broker. Node 1, the default, is the cluster's controller as well; others
# join it, and are for suites about replicas.
#   up    starts it; also again after stop or kill, with the data it had
#   stop  ends it in order;  kill  ends it as a crash would (SIGKILL)
#   down  ends it and removes its data; node 1 takes the others with it
# More lines for server.properties come from KAFKA_PROPERTIES at the first `up`.
# Node 1 also listens with SASL/SCRAM and PLAIN over TLS, where pods reach it too, and with client certificates; see secured.
set -euo pipefail
. "$(dirname "$0")/env.sh"
node=${2:-1}
name=kafka
[ "$node" = 1 ] || name=kafka-$node
home=$RUN/$name
port=$((19082 + 10 * node)) pods_port=$((9082 + 10 * node))
sasl_port=19094 mtls_port=19095 tls=$RUN/tls

# Two listeners, since the broker sends clients to the address it advertises:
# one for processes of the namespace, one that pods reach as well.
configure() {
    local roles=broker controller= secure= scram=()
    if [ "$node" = 1 ]; then
        roles=broker,controller controller=,CONTROLLER://127.0.0.1:19093
        secure=,SASL://$ADDRESS:$sasl_port,MTLS://127.0.0.1:$mtls_port
        scram=(--add-scram "SCRAM-SHA-512=[name=books,password=first]" --add-scram "SCRAM-SHA-256=[name=books,password=first]")
        certificates
    fi
    mkdir -p "$home"
    cat >"$home/server.properties" <<P
process.roles=$roles
node.id=$node
controller.quorum.voters=1@127.0.0.1:19093
controller.listener.names=CONTROLLER
listeners=HOST://127.0.0.1:$port,PODS://$ADDRESS:$pods_port$controller$secure
advertised.listeners=HOST://127.0.0.1:$port,PODS://$ADDRESS:$pods_port$secure
listener.security.protocol.map=HOST:PLAINTEXT,PODS:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL:SASL_SSL,MTLS:SSL
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
    [ -z "$secure" ] || secured >>"$home/server.properties"
    kafka_java kafka.tools.StorageTool format -t R3Jpc3RtaWxsS2Fma2FJZA -c "$home/server.properties" "${scram[@]}" >"$home/format.log" 2>&1 ||
        die "formatting failed: $(tail -n 5 "$home/format.log")"
    touch "$home/formatted"
}

# Users are known by SCRAM, by PLAIN, or by a certificate (User:CN=books). A topic with an ACL is for whom it names;
# whoever comes without a name, as all other suites do, may do everything.
secured() {
    local module=org.apache.kafka.common.security
    cat <<P
sasl.enabled.mechanisms=SCRAM-SHA-512,SCRAM-SHA-256,PLAIN
listener.name.sasl.scram-sha-512.sasl.jaas.config=$module.scram.ScramLoginModule required;
listener.name.sasl.scram-sha-256.sasl.jaas.config=$module.scram.ScramLoginModule required;
listener.name.sasl.plain.sasl.jaas.config=$module.plain.PlainLoginModule required user_books="first";
listener.name.mtls.ssl.client.auth=required
ssl.keystore.type=PEM
ssl.keystore.location=$tls/broker.pem
ssl.truststore.type=PEM
ssl.truststore.location=$tls/ca.crt
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
allow.everyone.if.no.acl.found=true
super.users=User:ANONYMOUS
P
}

# A CA with the broker's certificate and a client's, and another CA, which knows nobody.
certificates() {
    mkdir -p "$home" "$tls"
    (
        cd "$tls"
        local authority
        for authority in ca other-ca; do
            openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj "/CN=$authority" -keyout "$authority.key" -out "$authority.crt"
        done
        certificate broker "subjectAltName=IP:127.0.0.1,IP:$ADDRESS"
        cat broker.key broker.crt >broker.pem
        certificate books "extendedKeyUsage=clientAuth"
    ) >"$home/certificates.log" 2>&1 || die "making certificates failed: $(tail -n 5 "$home/certificates.log")"
}
certificate() { # certificate NAME EXTENSION: NAME.key and NAME.crt, by the CA
    openssl req -newkey rsa:2048 -nodes -subj "/CN=$1" -keyout "$1.key" -out "$1.csr"
    openssl x509 -req -in "$1.csr" -CA ca.crt -CAkey ca.key -CAcreateserial -days 30 -out "$1.crt" -extfile <(echo "$2")
}

# The class path's star is Java's, not the shell's.
java_options=(-Dorg.slf4j.simpleLogger.showDateTime=true "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd HH:mm:ss.SSS")
kafka_java() { inside java -Xmx256m -XX:TieredStopAtLevel=1 "${java_options[@]}" -cp "$KAFKA_HOME/jars/*" "$@"; }

up() {
    need_netns
    [ -d "$KAFKA_HOME" ] || die "Kafka is not installed: run install.sh kafka first"
    [ -f "$home/formatted" ] || configure
    start "$name" java -Xms256m -Xmx768m "${java_options[@]}" -cp "$KAFKA_HOME/jars/*" kafka.Kafka "$home/server.properties"
    waitfor "$name" bash -c "exec 3<>/dev/tcp/127.0.0.1/$port && exec 4<>/dev/tcp/$ADDRESS/$pods_port"
}
down() {
    local other
    if [ "$node" = 1 ]; then
        for other in "$RUN"/kafka-[0-9]*; do
            [ ! -d "$other" ] || "$0" down "${other##*-}"
        done
    fi
    # Nobody reads this data again: no need to wait for an orderly end.
    kill_hard "$name" || true
    rm -rf "$home"
}

case ${1:-} in
up) up ;;
stop) stop "$name" 30 ;;
kill) kill_hard "$name" ;;
down) down ;;
*) die "usage: kafka.sh up|stop|kill|down [NODE]" ;;
esac
