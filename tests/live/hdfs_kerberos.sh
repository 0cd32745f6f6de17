#!/bin/bash
# hdfs_kerberos.sh COMMAND: a third HDFS, hdfs://localhost:8220, that lets in only who has a ticket of the KDC beside it,
# and encrypts what it says. Tickets live three minutes and can't be renewed; clocks may differ by five seconds.
#   up                         starts what is not up: KDC, NameNode, DataNode
#   stop [namenode|datanode]   in order; default both
#   keytab PRINCIPAL FILE      makes a user and writes its keys
#   fs ARGUMENTS...            Hadoop's FsShell, as the superuser
#   conf                       prints the folder of krb5.conf, core-site.xml and hdfs-site.xml for clients
#   down                       stops all and removes their data
set -euo pipefail
. "$(dirname "$0")/env.sh"
home=$RUN/hdfs-kerberos
server=org.apache.hadoop.hdfs.server
PATH=$PATH:/usr/sbin
export KRB5_CONFIG=$home/conf/krb5.conf KRB5_KDC_PROFILE=$home/kdc.conf

configure() {
    local file folder
    mkdir -p "$home/conf"
    for file in krb5.conf core-site.xml hdfs-site.xml ssl-server.xml; do
        sed "s#@HOME@#$home#" "$LIVE/kerberos/$file.in" >"$home/conf/$file"
    done
    sed "s#@HOME@#$home#" "$LIVE/kerberos/kdc.conf.in" >"$home/kdc.conf"
    cp "$LIVE/hdfs/log4j.properties" "$home/conf/"
    for folder in hdfs datanode static; do mkdir -p "$home/conf/webapps/$folder"; done
    printf '127.0.0.1 localhost %s\n' "$(hostname)" >"$home/hosts"
    kdb5_util create -s -P master >"$home/kdc-setup.log" 2>&1 || die "no database of the KDC: $(cat "$home/kdc-setup.log")"
    for name in nn dn HTTP; do keytab "$name/localhost" "$home/hdfs.keytab"; done
    keytool -genkeypair -alias hdfs -keyalg RSA -dname CN=localhost -validity 2 -storetype PKCS12 \
        -keystore "$home/keystore.p12" -storepass changeit >"$home/keytool.log" 2>&1 || die "no certificate: $(cat "$home/keytool.log")"
}
keytab() { # keytab PRINCIPAL FILE
    kadmin.local -q "addprinc -randkey $1@GRISTMILL.TEST" >>"$home/kdc-setup.log" 2>&1
    kadmin.local -q "ktadd -norandkey -k $2 $1@GRISTMILL.TEST" >>"$home/kdc-setup.log" 2>&1
    [ -f "$2" ] || die "no keytab for $1: $(tail -n 3 "$home/kdc-setup.log")"
}

hadoop() { # hadoop MEGABYTES: sets the array `java`
    java=(java "-Xmx$1m" -XX:TieredStopAtLevel=1 --add-opens java.base/java.lang=ALL-UNNAMED
        "-Djava.security.krb5.conf=$home/conf/krb5.conf" "-Djdk.net.hosts.file=$home/hosts" -cp "$home/conf:$HDFS_HOME/jars/*")
}
jmx() { inside curl -fsSk "https://localhost:$1/jmx?qry=Hadoop:service=$2" | tr -d ' \n\\'; }
serving() {
    local namenode datanode
    namenode=$(jmx 9960 NameNode,name=FSNamesystemState) && datanode=$(jmx 9965 DataNode,name=DataNodeInfo) || return
    [[ $namenode == *'"NumLiveDataNodes":1,'* && $namenode == *'"FSState":"Operational"'* &&
        $datanode == *'"ActorState":"RUNNING"'* ]]
}
# A ticket for each command: the one of the last command may be over.
fs() {
    export KRB5CCNAME=FILE:$home/superuser.ticket
    inside kinit -k -t "$home/hdfs.keytab" nn/localhost
    hadoop 512
    inside "${java[@]}" org.apache.hadoop.fs.FsShell "$@"
}

up() {
    need_netns
    [ -d "$HDFS_HOME" ] || die "HDFS is not installed: run install.sh hdfs first"
    unset HADOOP_USER_NAME
    [ -f "$home/hdfs.keytab" ] || configure
    start kdc krb5kdc -n
    waitfor kdc kinit -c "FILE:$home/probe.ticket" -k -t "$home/hdfs.keytab" nn/localhost
    hadoop 256
    if [ ! -f "$home/formatted" ]; then
        inside "${java[@]}" $server.namenode.NameNode -format -force >"$home/format.log" 2>&1 ||
            die "formatting failed: $(tail -n 5 "$home/format.log")"
    fi
    start kerberos-namenode "${java[@]}" $server.namenode.NameNode
    start kerberos-datanode "${java[@]}" $server.datanode.DataNode
    waitfor kerberos-namenode curl -fsSk "https://localhost:9960/jmx?qry=none"
    waitfor kerberos-datanode "$0" ready
    if [ ! -f "$home/formatted" ]; then
        fs -mkdir /raw_zone /processed_zone
        fs -chown etl:etl /raw_zone /processed_zone
        touch "$home/formatted"
    fi
}

case ${1:-} in
up) up ;;
ready) serving ;;
stop) for n in ${2:-datanode namenode}; do stop "kerberos-$n" 15; done ;;
keytab) keytab "$2" "$3" ;;
fs) shift && fs "$@" ;;
conf) echo "$home/conf" ;;
down)
    for n in kerberos-datanode kerberos-namenode kdc; do kill_hard "$n" || true; done
    rm -rf "$home"
    ;;
*) die "usage: hdfs_kerberos.sh up|stop|keytab|fs|conf|down" ;;
esac
