#!/bin/bash
# hdfs_ha.sh COMMAND: a second HDFS, hdfs://mill, with two NameNodes over one folder of shared edits, and one DataNode.
#   up                       starts what is not up; nn1 becomes active at the first start
#   kill nn1|nn2             as a crash would
#   failover FROM TO         in order, by Hadoop's HAAdmin
#   haadmin|dfsadmin ...     Hadoop's own tools
#   conf                     prints the folder of core-site.xml and hdfs-site.xml for clients
#   fs ARGUMENTS...          Hadoop's FsShell on it
#   down                     stops all and removes their data
set -euo pipefail
. "$(dirname "$0")/env.sh"
home=$RUN/hdfs-ha
server=org.apache.hadoop.hdfs.server

configure() {
    local self folder
    for self in nn1 nn2; do
        mkdir -p "$home/conf-$self"
        sed "s#@HOME@#$home#; s#@ADDRESS@#$ADDRESS#; s#@SELF@#$self#" "$LIVE/hdfs/ha-site.xml.in" >"$home/conf-$self/hdfs-site.xml"
        sed "s#@HOME@#$home#" "$LIVE/hdfs/ha-core-site.xml.in" >"$home/conf-$self/core-site.xml"
        cp "$LIVE/hdfs/log4j.properties" "$home/conf-$self/"
        for folder in hdfs datanode static; do mkdir -p "$home/conf-$self/webapps/$folder"; done
    done
    printf '127.0.0.1 localhost %s\n' "$(hostname)" >"$home/hosts"
}
hadoop() { # hadoop SELF MEGABYTES: sets the array `java`
    java=(java "-Xmx$2m" -XX:TieredStopAtLevel=1 --add-opens java.base/java.lang=ALL-UNNAMED
        "-Djdk.net.hosts.file=$home/hosts" -cp "$home/conf-$1:$HDFS_HOME/jars/*")
}
tool() { # tool CLASS ARGUMENTS...
    hadoop nn1 256
    inside "${java[@]}" "$@"
}
http() { echo "http://$ADDRESS:997${1#nn}"; }
serving() { inside curl -fsS "$(http "$1")/jmx?qry=none" >/dev/null; }

up() {
    need_netns
    unset HADOOP_USER_NAME
    [ -d "$home/conf-nn1" ] || configure
    if [ ! -f "$home/formatted" ]; then
        hadoop nn1 256
        inside "${java[@]}" $server.namenode.NameNode -format -force >"$home/format.log" 2>&1 ||
            die "formatting failed: $(tail -n 5 "$home/format.log")"
    fi
    hadoop nn1 256
    start ha-nn1 "${java[@]}" $server.namenode.NameNode
    waitfor ha-nn1 curl -fsS "$(http nn1)/jmx?qry=none"
    hadoop nn2 256
    if [ ! -f "$home/formatted" ]; then
        # The standby copies the image of the one that runs.
        inside "${java[@]}" $server.namenode.NameNode -bootstrapStandby -force >>"$home/format.log" 2>&1 ||
            die "the standby can't copy the image: $(tail -n 5 "$home/format.log")"
    fi
    start ha-nn2 "${java[@]}" $server.namenode.NameNode
    waitfor ha-nn2 curl -fsS "$(http nn2)/jmx?qry=none"
    hadoop nn1 256
    start ha-datanode "${java[@]}" $server.datanode.DataNode
    if [ ! -f "$home/formatted" ]; then
        # It answers HTTP before it takes calls.
        for _ in {1..30}; do
            tool org.apache.hadoop.hdfs.tools.DFSHAAdmin -transitionToActive nn1 && break
            alive ha-nn1 || die "ha-nn1 died; its log: $RUN/logs/ha-nn1.log"
            sleep 1
        done
        waitfor ha-nn1 "$0" ready
        inside curl -fsS -o /dev/null -X PUT "$(http nn1)/webhdfs/v1/raw_zone?user.name=$(id -un)&op=MKDIRS"
        inside curl -fsS -o /dev/null -X PUT "$(http nn1)/webhdfs/v1/raw_zone?user.name=$(id -un)&op=SETOWNER&owner=etl&group=etl"
        touch "$home/formatted"
    fi
}

case ${1:-} in
up) up ;;
ready) inside curl -fsS "$(http nn1)/jmx?qry=Hadoop:service=NameNode,name=FSNamesystemState" | tr -d ' \n' | grep -q '"NumLiveDataNodes":1,' ;;
kill) kill_hard "ha-$2" ;;
failover) tool org.apache.hadoop.hdfs.tools.DFSHAAdmin -failover "$2" "$3" ;;
haadmin) shift && tool org.apache.hadoop.hdfs.tools.DFSHAAdmin "$@" ;;
dfsadmin) shift && tool org.apache.hadoop.hdfs.tools.DFSAdmin "$@" ;;
fs) shift && tool org.apache.hadoop.fs.FsShell "$@" ;;
conf) echo "$home/conf-nn1" ;;
down)
    for n in datanode nn2 nn1; do kill_hard "ha-$n" || true; done
    rm -rf "$home"
    ;;
*) die "usage: hdfs_ha.sh up|kill|failover|haadmin|dfsadmin|fs|conf|down" ;;
esac
