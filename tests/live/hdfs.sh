#!/bin/bash
# hdfs.sh COMMAND: one NameNode and one DataNode; permissions are checked, and
# the superuser is whoever starts them.
#   up                          starts both; also again after stop or kill
#   stop|kill [namenode|datanode]   in order, or as a crash would; default both
#   down                        stops both and removes their data
#   fs ARGUMENTS...             Hadoop's own FsShell: -ls, -put, -get, ...
#   dir PATH OWNER [MODE]       makes a folder of OWNER (fast: one HTTP call each)
set -euo pipefail
. "$(dirname "$0")/env.sh"
home=$RUN/hdfs
superuser=$(id -un)

configure() {
    local file folder
    mkdir -p "$home/conf"
    for file in core-site.xml hdfs-site.xml; do
        sed "s#@HOME@#$home#; s#@ADDRESS@#$ADDRESS#" "$LIVE/hdfs/$file.in" >"$home/conf/$file"
    done
    cp "$LIVE/hdfs/log4j.properties" "$home/conf/"
    # Both servers stop without these, and the jars have no web pages.
    for folder in hdfs datanode static; do mkdir -p "$home/conf/webapps/$folder"; done
    # The only names that Java shall know: it never asks a DNS server.
    printf '127.0.0.1 localhost %s\n%s namenode.library.svc\n' "$(hostname)" "$ADDRESS" >"$home/hosts"
}

hadoop() { # hadoop MEGABYTES: sets the array `java`
    java=(java "-Xmx$1m" --add-opens java.base/java.lang=ALL-UNNAMED
        "-Djdk.net.hosts.file=$home/hosts" -cp "$home/conf:$HDFS_HOME/jars/*")
}

jmx() { inside curl -fsS "http://$ADDRESS:$1/jmx?qry=Hadoop:service=$2" | tr -d ' \n\\'; }
# The NameNode believes in a dead DataNode for minutes, so that one is asked too.
serving() {
    local namenode datanode
    namenode=$(jmx 9870 NameNode,name=FSNamesystemState) && datanode=$(jmx 9864 DataNode,name=DataNodeInfo) || return
    [[ $namenode == *'"NumLiveDataNodes":1,'* && $namenode == *'"FSState":"Operational"'* &&
        $datanode == *'"ActorState":"RUNNING"'* ]]
}

up() {
    need_netns
    [ -d "$HDFS_HOME" ] || die "HDFS is not installed: run install.sh hdfs first"
    local server=org.apache.hadoop.hdfs.server
    [ -d "$home/conf" ] || configure
    # The name is for clients; a server that inherits it becomes that user.
    unset HADOOP_USER_NAME
    hadoop 256
    if [ ! -f "$home/formatted" ]; then
        inside "${java[@]}" -XX:TieredStopAtLevel=1 $server.namenode.NameNode -format -force >"$home/format.log" 2>&1 ||
            die "formatting failed: $(tail -n 5 "$home/format.log")"
        touch "$home/formatted"
    fi
    start namenode "${java[@]}" $server.namenode.NameNode
    start datanode "${java[@]}" $server.datanode.DataNode
    waitfor namenode curl -fsS "http://$ADDRESS:9870/jmx?qry=none"
    waitfor datanode "$0" ready
    if [ ! -f "$home/zones" ]; then
        dir /raw_zone etl
        dir /processed_zone etl
        touch "$home/zones"
    fi
}

webhdfs() { # webhdfs PATH QUERY
    inside curl -fsS -o /dev/null -X PUT "$WEBHDFS_URL$1?user.name=$superuser&$2" || die "HDFS refused: $2 $1"
}
dir() {
    webhdfs "$1" "op=MKDIRS&permission=${3:-755}"
    webhdfs "$1" "op=SETPERMISSION&permission=${3:-755}" # MKDIRS leaves an old folder's alone
    webhdfs "$1" "op=SETOWNER&owner=${2%%:*}&group=$(case $2 in *:*) echo "${2#*:}" ;; *) echo "$2" ;; esac)"
}

case ${1:-} in
up) up ;;
ready) serving ;;
stop) for n in ${2:-datanode namenode}; do stop "$n" 15; done ;;
kill) for n in ${2:-datanode namenode}; do kill_hard "$n"; done ;;
down)
    # Nobody reads this data again: no need to wait for an orderly end.
    for n in datanode namenode; do kill_hard "$n" || true; done
    rm -rf "$home"
    ;;
fs)
    shift
    need_netns
    hadoop 512
    inside "${java[@]}" -XX:TieredStopAtLevel=1 org.apache.hadoop.fs.FsShell "$@"
    ;;
dir) shift && dir "$@" ;;
*) die "usage: hdfs.sh up|stop|kill|down|fs|dir" ;;
esac
