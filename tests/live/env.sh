# shellcheck shell=bash disable=SC2034 # whoever sources it uses them
# Shared settings and functions of the live servers; source me, I start nothing.
#
# A run is one folder (GRISTMILL_LIVE_RUN): pid files, logs, data of its
# servers. Its name is the run id, and the network namespace is named after it,
# so whoever finds the folder can take down everything that belongs to it.

LIVE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
CACHE=${GRISTMILL_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/gristmill}
: "${GRISTMILL_LIVE_RUN:=$CACHE/run/manual}"
RUN=$GRISTMILL_LIVE_RUN

# Whoever brings a cluster of their own (KUBECONFIG) gets no namespace either:
# that cluster could not be reached from inside. Kafka and HDFS then listen on
# an address of this machine that the cluster's pods can reach.
foreign_cluster() { [ -n "${KUBECONFIG:-}" ] && [ "$KUBECONFIG" != "${GRISTMILL_LIVE_KUBECONFIG:-}" ]; }

if foreign_cluster; then
    NETNS=
    ADDRESS=${GRISTMILL_LIVE_ADDRESS:?KUBECONFIG is set: name an address of this machine that pods can reach}
else
    NETNS=gristmill-$(basename "$RUN")
    ADDRESS=10.244.0.1 # the bridge, which is also the node's address
    # The second name tells the next script that the first one is ours.
    export KUBECONFIG=$RUN/kubernetes/pki/admin.kubeconfig
    export GRISTMILL_LIVE_KUBECONFIG=$KUBECONFIG
fi
export GRISTMILL_LIVE_ADDRESS=$ADDRESS

# A recipe's hash is part of its folder's name: changed pins are a new folder.
# Paths are left out of the hash, so that every checkout shares the cache.
keyed() { # keyed NAME FILE_OR_FOLDER...
    local name=$1
    shift
    printf '%s/%s-%s' "$CACHE" "$name" "$(cd "$LIVE" &&
        find "$@" -type f | LC_ALL=C sort | xargs sha256sum | sha256sum | cut -c1-12)"
}
KAFKA_HOME=$(keyed kafka-4.4.0 kafka/pom.xml)
HDFS_HOME=$(keyed hdfs-3.5.0 hdfs/pom.xml)
PYTHON_HOME=$(keyed python requirements.txt)
export PEERS_HOME
PEERS_HOME=$(keyed peers peers)
KUBERNETES_HOME=$(keyed k8s-1.35.4 kubernetes/build.sh kubernetes/mods)
PACKAGING_HOME=$(keyed packaging packaging)

# What a suite works with.
export GRISTMILL_LIVE=$LIVE GRISTMILL_LIVE_RUN
export KAFKA_BOOTSTRAP=127.0.0.1:19092            # processes in the namespace
export KAFKA_BOOTSTRAP_PODS=kafka.library.svc:9092 # pods
export HDFS_URL=hdfs://$ADDRESS:8020
export HDFS_URL_PODS=hdfs://namenode.library.svc:8020
export WEBHDFS_URL=http://$ADDRESS:9870/webhdfs/v1
export PYTHON=$PYTHON_HOME/bin/python
export PYTHONPATH=$LIVE PYTHONDONTWRITEBYTECODE=1
# Our own programs; a debug build serves while a suite is written.
BINARIES=${GRISTMILL_BINARIES:-${CARGO_TARGET_DIR:-$LIVE/../../target}/release}
case :$PATH: in
*":$BINARIES:"*) ;;
*) export PATH=$BINARIES:$PATH ;;
esac
case :$PATH: in
*":$PACKAGING_HOME/bin:"*) ;;
*) export PATH=$PACKAGING_HOME/bin:$PATH ;;
esac
foreign_cluster || case :$PATH: in
    *":$KUBERNETES_HOME/bin:"*) ;;
    *) export PATH=$KUBERNETES_HOME/bin:$PATH ;;
esac

die() { printf '%s\n' "$*" >&2; exit 1; }
now() { date +%s%N; }
since() { awk -v a="$1" -v b="$(now)" 'BEGIN { printf "%.1f", (b - a) / 1e9 }'; }
say() { printf '%-12s %s\n' "${0##*/}" "$*"; }

# Not `ip netns exec`: that remounts /sys, which hides the cgroups from kubelet.
namespace_id() { stat -Lc %i "$1" 2>/dev/null; }
is_inside() { [ -z "$NETNS" ] || [ "$(namespace_id /proc/self/ns/net)" = "$(namespace_id "/run/netns/$NETNS")" ]; }
inside() {
    if is_inside; then "$@"; else nsenter --net="/run/netns/$NETNS" "$@"; fi
}
need_netns() { [ -z "$NETNS" ] || [ -e "/run/netns/$NETNS" ] || die "no network namespace $NETNS: run netns.sh up first"; }

# A process is known by its id and its start time: ids are used again.
# A killed one may stay a zombie for a while, which counts as dead.
stat_field() { # stat_field PID N, counted as in proc(5); the name may hold blanks
    sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d' ' -f$(($2 - 2))
}
started_at() { stat_field "$1" 22; }
running() { # running PID START
    [ -n "$1" ] && [ "$(started_at "$1")" = "$2" ] && [ "$(stat_field "$1" 3)" != Z ]
}
pid_of() { # pid_of NAME: prints the id only while that very process runs
    local pid start
    read -r pid start 2>/dev/null <"$RUN/pids/$1" || return 1
    running "$pid" "$start" && echo "$pid"
}
alive() { pid_of "$1" >/dev/null; }

# `run` writes its own id into its folder; folders made by hand have no owner.
run_is_dead() { # run_is_dead FOLDER
    local pid start
    read -r pid start 2>/dev/null <"$1/owner" && ! running "$pid" "$start"
}

start() { # start NAME COMMAND...: in the namespace, in a session of its own
    local name=$1 pid
    shift
    mkdir -p "$RUN/pids" "$RUN/logs"
    alive "$name" && return
    # Inherited descriptors (a lock, a caller's pipe) must not outlive us in a server.
    if is_inside; then
        setsid "$@" >>"$RUN/logs/$name.log" 2>&1 </dev/null 9>&- &
    else
        setsid nsenter --net="/run/netns/$NETNS" "$@" >>"$RUN/logs/$name.log" 2>&1 </dev/null 9>&- &
    fi
    pid=$!
    echo "$pid $(started_at "$pid")" >"$RUN/pids/$name"
}

waitfor() { # waitfor NAME COMMAND...: until it succeeds, NAME dies or the limit is over
    local name=$1 begin limit=${WAIT_LIMIT:-300}
    shift
    begin=$(now)
    local end=$((SECONDS + limit))
    until inside "$@" >/dev/null 2>&1; do
        if [ -f "$RUN/pids/$name" ] && ! alive "$name"; then
            tail -n 20 "$RUN/logs/$name.log" >&2
            die "$name died; its log: $RUN/logs/$name.log"
        fi
        if [ $SECONDS -ge $end ]; then
            tail -n 20 "$RUN/logs/$name.log" >&2
            die "$name was not ready after $limit s; its log: $RUN/logs/$name.log"
        fi
        sleep 0.1
    done
    say "$name ready after $(since "$begin") s"
}

signal() { # signal NAME SIGNAL
    local pid
    pid=$(pid_of "$1") && kill -s "$2" "$pid"
}
wait_gone() { # wait_gone NAME SECONDS
    local tries=$(($2 * 10))
    while alive "$1" && [ $tries -gt 0 ]; do
        sleep 0.1
        tries=$((tries - 1))
    done
    ! alive "$1"
}
stop() { # stop NAME [SECONDS]: asks first, then kills
    [ -f "$RUN/pids/$1" ] || return 0
    signal "$1" TERM
    if ! wait_gone "$1" "${2:-10}"; then
        say "$1 did not stop in ${2:-10} s, killed"
        signal "$1" KILL
        wait_gone "$1" 5
    fi
    rm -f "$RUN/pids/$1"
}
kill_hard() { # kill_hard NAME: as a crash would
    signal "$1" KILL
    wait_gone "$1" 5 && rm -f "$RUN/pids/$1"
}
