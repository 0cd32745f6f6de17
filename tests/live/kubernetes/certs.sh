#!/bin/bash
# certs.sh [NODE ADDRESS]: the cluster's own certificate authorities, keys and
# kubeconfigs, in $PKI, or those of one more node. Elliptic curves: the whole set
# takes about a second.
set -euo pipefail
. "$(dirname "$0")/common.sh"
[ $# -gt 0 ] || set -- "$NODE" "$ADDRESS"
[ ! -f "$PKI/kubelet-$1.kubeconfig" ] || exit 0
mkdir -p "$PKI"
chmod 700 "$PKI"
cd "$PKI"
curve=(-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes)

authority() { # authority FILE NAME
    openssl req -x509 "${curve[@]}" -days 3650 -subj "/CN=$2" -keyout "$1.key" -out "$1.crt" \
        -addext basicConstraints=critical,CA:TRUE \
        -addext keyUsage=critical,keyCertSign,cRLSign,digitalSignature 2>/dev/null
}
certificate() { # certificate FILE AUTHORITY SUBJECT USAGE [NAMES]
    openssl req "${curve[@]}" -subj "$3" -keyout "$1.key" -out "$1.csr" 2>/dev/null
    {
        echo "keyUsage=critical,digitalSignature"
        echo "extendedKeyUsage=$4"
        [ -z "${5:-}" ] || echo "subjectAltName=$5"
    } >"$1.ext"
    openssl x509 -req -in "$1.csr" -CA "$2.crt" -CAkey "$2.key" -CAcreateserial \
        -days 3650 -out "$1.crt" -extfile "$1.ext" 2>/dev/null
    rm "$1.csr" "$1.ext"
}
kubeconfig() { # kubeconfig FILE SUBJECT
    certificate "$1" ca "$2" clientAuth
    cat >"$1.kubeconfig" <<Y
apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: "$API", certificate-authority-data: $(base64 -w0 <ca.crt)}}]
users: [{name: u, user: {client-certificate-data: $(base64 -w0 <"$1.crt"), client-key-data: $(base64 -w0 <"$1.key")}}]
contexts: [{name: c, context: {cluster: c, user: u}}]
current-context: c
Y
}

node() { # node NAME ADDRESS
    certificate "serving-$1" ca "/O=system:nodes/CN=system:node:$1" serverAuth "DNS:$1,IP:$2,IP:127.0.0.1"
    kubeconfig "kubelet-$1" "/O=system:nodes/CN=system:node:$1"
}

if [ -f ca.key ]; then
    node "$@"
    exit
fi
authority ca kubernetes-ca
authority front front-proxy-ca
certificate apiserver ca /CN=kube-apiserver serverAuth \
    "DNS:localhost,DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,DNS:kubernetes.default.svc.cluster.local,IP:127.0.0.1,IP:$ADDRESS,IP:10.96.0.1"
certificate apiserver-kubelet ca /O=system:masters/CN=kube-apiserver-kubelet-client clientAuth
certificate front-client front /CN=front-proxy-client clientAuth
openssl genrsa -out sa.key 2048 2>/dev/null
openssl rsa -in sa.key -pubout -out sa.pub 2>/dev/null
kubeconfig admin /O=system:masters/CN=admin
kubeconfig controller-manager /CN=system:kube-controller-manager
kubeconfig scheduler /CN=system:kube-scheduler
kubeconfig proxy /CN=system:kube-proxy
kubeconfig dns /CN=system:coredns
node "$@"
