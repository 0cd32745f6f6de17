#!/bin/bash
# up.sh: a real Kubernetes of one node in the run's network namespace, and the
# names of Kafka and HDFS in it. Again on a running cluster it starts what died.
# With a KUBECONFIG of somebody's own only the names are made.
set -euo pipefail
. "$(dirname "$0")/common.sh"
here=$LIVE/kubernetes

names() { sed "s/10\.244\.0\.1/$ADDRESS/" "$here/services.yaml" | inside kubectl apply -f - >/dev/null; }
if foreign_cluster; then
    mkdir -p "$CLUSTER" && touch "$CLUSTER/names" && names
    exit
fi
need_netns
[ -x "$BIN/kubelet" ] || die "Kubernetes is not installed: run install.sh kubernetes first"

# Only one run has the cluster. A run that was killed is taken down here.
take_ownership() {
    local other end=$((SECONDS + ${CLUSTER_WAIT_LIMIT:-3600})) told=
    until (set -o noclobber && echo "$RUN" >"$OWNER") 2>/dev/null; do
        other=$(cat "$OWNER" 2>/dev/null) || continue
        [ "$other" != "$RUN" ] || return 0
        if [ -z "$other" ] || [ ! -d "$other" ]; then
            rm -f "$OWNER"
        elif run_is_dead "$other" || { [ ! -f "$other/owner" ] && ! (RUN=$other && alive apiserver); }; then
            GRISTMILL_LIVE_RUN=$other "$LIVE/servers.sh" down
        else
            [ -n "$told" ] || say "waiting: $other has the cluster (GRISTMILL_LIVE_RUN=$other servers.sh down ends it)"
            told=yes
            [ $SECONDS -lt $end ] || die "$other did not give the cluster back"
            sleep 2
        fi
    done
}

# What down.sh has to leave as it was, recorded before anything starts.
record_before() {
    [ -f "$CLUSTER/before/sysctls" ] && return
    [ -z "$(pod_cgroups)" ] || die "another kubelet has pods on this machine ($(pod_cgroups | head -n 1)): not started beside it"
    mkdir -p "$CLUSTER/before"
    ls -d "${SHARED_PATHS[@]}" >"$CLUSTER/before/paths" 2>/dev/null || true
    ls -d /run/netns/cni-* >"$CLUSTER/before/netns" 2>/dev/null || true
    for key in "${SHARED_SYSCTLS[@]}"; do echo "$key=$(sysctl -n "$key")"; done >"$CLUSTER/before/new"
    mv "$CLUSTER/before/new" "$CLUSTER/before/sysctls"
}

fill() { # fill TEMPLATE TARGET: only when it changes, since kube-proxy ends then
    sed "s#@CLUSTER@#$CLUSTER#g; s#@PKI@#$PKI#g; s#@SOCKET@#$SOCKET#g; s#@ADDRESS@#$ADDRESS#g
        s#@NODE@#$NODE#g; s#@POD_CIDR@#$POD_CIDR#g; s#@OPEN_FILES@#$(ulimit -Hn)#g" "$here/$1" >"$2.new"
    if cmp -s "$2.new" "$2"; then rm "$2.new"; else mv "$2.new" "$2"; fi
}
configure() {
    mkdir -p "$CLUSTER"/{cni/net.d,containerd,certs.d/_default,images,manifests,podlogs}
    fill cni.conflist.in "$CLUSTER/cni/net.d/10-gristmill.conflist"
    fill containerd.toml.in "$CLUSTER/containerd.toml"
    fill hosts.toml "$CLUSTER/certs.d/_default/hosts.toml"
    fill kubelet.yaml.in "$CLUSTER/kubelet.yaml"
    fill proxy.yaml.in "$CLUSTER/proxy.yaml"
    fill Corefile.in "$CLUSTER/Corefile"
    : >"$CLUSTER/resolv.conf"
    # Service addresses need a route, since DNAT comes after the routing decision.
    inside ip route replace "$SERVICE_CIDR" dev cni0 src "$ADDRESS"
}

apiserver() { # the store, the API, and who may use it
    mkdir -p "$CLUSTER/etcd" && chmod 700 "$CLUSTER/etcd"
    # With its fsync: without, a killed etcd loses its end and every watch hangs.
    start etcd "$BIN/etcd" --data-dir "$CLUSTER/etcd" --log-level warn \
        --listen-client-urls http://127.0.0.1:2379 --advertise-client-urls http://127.0.0.1:2379 \
        --listen-peer-urls http://127.0.0.1:2380
    start apiserver "$BIN/kube-apiserver" --etcd-servers=http://127.0.0.1:2379 \
        --bind-address=0.0.0.0 --secure-port=6443 --advertise-address="$ADDRESS" \
        --service-cluster-ip-range="$SERVICE_CIDR" --allow-privileged=true --shutdown-delay-duration=0s \
        --authorization-mode=Node,RBAC --enable-admission-plugins=NodeRestriction \
        --client-ca-file="$PKI/ca.crt" \
        --tls-cert-file="$PKI/apiserver.crt" --tls-private-key-file="$PKI/apiserver.key" \
        --kubelet-certificate-authority="$PKI/ca.crt" --kubelet-preferred-address-types=InternalIP \
        --kubelet-client-certificate="$PKI/apiserver-kubelet.crt" --kubelet-client-key="$PKI/apiserver-kubelet.key" \
        --service-account-issuer=https://kubernetes.default.svc \
        --service-account-key-file="$PKI/sa.pub" --service-account-signing-key-file="$PKI/sa.key" \
        --requestheader-client-ca-file="$PKI/front.crt" --requestheader-allowed-names=front-proxy-client \
        --requestheader-extra-headers-prefix=X-Remote-Extra- \
        --requestheader-group-headers=X-Remote-Group --requestheader-username-headers=X-Remote-User \
        --proxy-client-cert-file="$PKI/front-client.crt" --proxy-client-key-file="$PKI/front-client.key"
}
controllers() {
    config() { echo "--kubeconfig=$PKI/$1.kubeconfig --authentication-kubeconfig=$PKI/$1.kubeconfig --authorization-kubeconfig=$PKI/$1.kubeconfig --leader-elect=false --bind-address=127.0.0.1"; }
    # The default limit of 20 requests a second would slow the start by seconds.
    # shellcheck disable=SC2046 # several arguments
    start controller-manager "$BIN/kube-controller-manager" $(config controller-manager) \
        --service-account-private-key-file="$PKI/sa.key" --root-ca-file="$PKI/ca.crt" \
        --cluster-signing-cert-file="$PKI/ca.crt" --cluster-signing-key-file="$PKI/ca.key" \
        --use-service-account-credentials=true --flex-volume-plugin-dir="$CLUSTER/volplugins" \
        --kube-api-qps=300 --kube-api-burst=500 --node-monitor-period=2s --node-monitor-grace-period=16s
    # shellcheck disable=SC2046
    start scheduler "$BIN/kube-scheduler" $(config scheduler)
}
images() {
    local pause=$CLUSTER/images/pause.tar
    start containerd containerd -c "$CLUSTER/containerd.toml" --log-level warn
    [ -f "$pause" ] || python3 "$here/image.py" "$pause" localhost/pause:1 "$BIN/probe=/pause"
    waitfor containerd ctr -a "$SOCKET" version
    "$here/load-image.sh" "$pause"
}
node() {
    start kubelet "$BIN/kubelet" --config="$CLUSTER/kubelet.yaml" --kubeconfig="$PKI/kubelet-$NODE.kubeconfig" \
        --hostname-override="$NODE" --node-ip="$ADDRESS" --root-dir="$CLUSTER/kubelet" \
        --cert-dir="$CLUSTER/kubelet/pki" --containerd="$SOCKET" --v=2
    inside kubectl apply -f "$here/coredns-rbac.yaml" >/dev/null
    start coredns "$BIN/coredns" -conf "$CLUSTER/Corefile"
    start kube-proxy "$BIN/kube-proxy" --config="$CLUSTER/proxy.yaml"
}

begin=$(now)
take_ownership
record_before
configure
"$here/certs.sh"
apiserver
images
waitfor apiserver curl -fsS --cacert "$PKI/ca.crt" --cert "$PKI/admin.crt" --key "$PKI/admin.key" $API/readyz
# Not earlier: without the API's own roles these end at once with 'forbidden'.
controllers
node
names
waitfor coredns curl -fsS http://127.0.0.1:8054/ready
waitfor controller-manager kubectl get serviceaccount default
waitfor kubelet sh -c "kubectl get node $NODE -o 'jsonpath={.status.conditions[?(@.type==\"Ready\")].status}' | grep True"
say "node ready $(since "$begin") s after the start"
