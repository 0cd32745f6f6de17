#!/bin/bash
# install.sh [system] [kafka] [hdfs] [kerberos] [python] [peers] [kubernetes] [packaging] [valgrind]: everything
# that the live suites need, on a bare Debian machine; default: all but valgrind, which only make bench-guard
# needs. What the cache holds is skipped. Only package registries are asked: apt, Maven Central, PyPI and
# the Go module proxy; every version is pinned beside this file.
set -euo pipefail
. "$(dirname "$0")/env.sh"
mkdir -p "$CACHE"
export DEBIAN_FRONTEND=noninteractive

# Two installs of one part at the same time: the second waits and then finds it done.
lock() { # lock PART
    exec 9>"$CACHE/install-$1.lock"
    flock -n 9 || { say "waiting for another install of $1"; flock 9; }
}

step() { # step NAME COMMAND...: one line with the seconds
    local name=$1 begin
    shift
    begin=$(now)
    "$@" >"$CACHE/$name.install.log" 2>&1 || {
        tail -n 30 "$CACHE/$name.install.log" >&2
        die "installing $name failed; all of it: $CACHE/$name.install.log"
    }
    say "$name installed in $(since "$begin") s"
}

# Builds into a side folder: a killed install leaves nothing that looks complete.
cached() { # cached NAME HOME COMMAND...: the command gets the side folder
    local name=$1 home=$2
    shift 2
    [ -d "$home" ] && { say "$name is in the cache"; return; }
    rm -rf "$home.part"
    mkdir -p "$home.part"
    step "$name" "$@" "$home.part"
    mv "$home.part" "$home"
}

packages() { # packages COMMAND=PACKAGE...: prints those whose command is missing
    local pair
    for pair in "$@"; do
        PATH=$PATH:/usr/sbin:/sbin command -v "${pair%%=*}" >/dev/null || [ -e "${pair%%=*}" ] || echo "${pair#*=}"
    done | sort -u
}
apt_install() {
    # An image may come without lists, and old lists name packages that are gone. Another part may be at it.
    local wait=(-o DPkg::Lock::Timeout=600)
    apt-get install "${wait[@]}" -y --no-install-recommends "$@" || {
        apt-get update "${wait[@]}" && apt-get install "${wait[@]}" -y --no-install-recommends "$@"
    }
}
need_packages() { # need_packages NAME COMMAND=PACKAGE...
    local name=$1 missing
    shift
    mapfile -t missing < <(packages "$@")
    [ ${#missing[@]} = 0 ] && return
    step "$name" apt_install "${missing[@]}"
}

install_system() {
    need_packages system-packages ip=iproute2 nsenter=util-linux curl=curl sysctl=procps openssl=openssl \
        java=openjdk-17-jre-headless mvn=maven python3=python3 ps=procps \
        "/usr/lib/$(uname -m)-linux-gnu/libgssapi_krb5.so.2=libgssapi-krb5-2" \
        /etc/ssl/certs/ca-certificates.crt=ca-certificates
}

jars() { # jars NAME FOLDER
    mvn -q -B -f "$LIVE/$1/pom.xml" \
        org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies \
        -DincludeScope=runtime -DoutputDirectory="$2/jars"
}
# What others need to do the ingest's job: jars of Spark and Flink, and what draws the benchmark's pictures.
peers() {
    jars peers/spark "$1/spark" && jars peers/flink "$1/flink" && python3 -m venv "$1/plot" &&
        "$1/plot/bin/python" -m pip install -q -r "$LIVE/peers/requirements.txt"
}
install_peers() {
    need_packages peers-packages javac=openjdk-17-jdk-headless
    python3 -c 'import ensurepip' 2>/dev/null || step python-packages apt_install python3-venv
    cached peers "$PEERS_HOME" peers
}
install_kafka() { cached kafka "$KAFKA_HOME" jars kafka; }
install_hdfs() { cached hdfs "$HDFS_HOME" jars hdfs; }

# Moving a venv breaks the scripts in its bin folder, but not its python.
venv() {
    python3 -m venv "$1"
    "$1/bin/python" -m pip install -q -r "$LIVE/requirements.txt"
}
# The packages start no server: a KDC without a realm ends by itself.
install_kerberos() {
    need_packages kerberos-packages krb5kdc=krb5-kdc kadmin.local=krb5-admin-server kinit=krb5-user
}
install_python() {
    python3 -c 'import ensurepip' 2>/dev/null || step python-packages apt_install python3-venv
    cached python "$PYTHON_HOME" venv
}

cluster_programs() {
    command -v go >/dev/null || die "Go 1.26 or later is needed to build Kubernetes"
    "$LIVE/kubernetes/build.sh" "$1/bin"
}
install_kubernetes() {
    if foreign_cluster; then
        say "KUBECONFIG is set: no cluster of our own"
        return
    fi
    need_packages node-packages containerd=containerd runc=runc \
        /usr/lib/cni/bridge=containernetworking-plugins nft=nftables \
        iptables=iptables conntrack=conntrack openssl=openssl
    cached kubernetes "$KUBERNETES_HOME" cluster_programs
}

packaging_programs() {
    command -v go >/dev/null || die "Go 1.26 or later is needed to build Helm and Kustomize"
    "$LIVE/packaging/build.sh" "$1/bin"
}
install_packaging() {
    need_packages packaging-packages lua5.4=lua5.4
    cached packaging "$PACKAGING_HOME" packaging_programs
}

install_valgrind() { need_packages valgrind-packages valgrind=valgrind; }

[ $# -gt 0 ] || set -- kafka hdfs kerberos python peers kubernetes packaging
for part in system "$@"; do
    case $part in
    system | kafka | hdfs | kerberos | python | peers | kubernetes | packaging | valgrind) lock "$part" && "install_$part" ;;
    *) die "install.sh knows kafka, hdfs, kerberos, python, peers, kubernetes, packaging and valgrind, not $part" ;;
    esac
done
