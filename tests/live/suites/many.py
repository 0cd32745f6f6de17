"""Many resources on one cluster; see suites/many."""

import json
import re
import subprocess
import time

import manifest
import quickstart
import topics
from failures import OPERATOR, leader, names, pods
from quickstart import kubectl, ours, wait
from suite import BOOTSTRAP_PODS, main, require, say, size
from zone_log import HDFS

NAMESPACE = "many"
ALL = size(200, 40)
RUNNING = size(10, 2)
IDLE = size(300, 30)
LARGEST_MIB = 128
REQUESTS_A_MINUTE = 20
# What the operator made for each.
KINDS = "deployments,configmaps,serviceaccounts,poddisruptionbudgets,networkpolicies"
OBJECTS = len(KINDS.split(","))

# The API server counts requests by flow schema. Watches and renewals of the Lease are counted apart.
FLOWS = {"gristmill-leases": (900, {"verbs": ["*"], "apiGroups": ["coordination.k8s.io"], "resources": ["leases"]}),
         "gristmill-watches": (901, {"verbs": ["watch"], "apiGroups": ["*"], "resources": ["*"]}),
         "gristmill-requests": (902, {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]})}


def flow_schema(name, precedence, rule):
    subject = {"kind": "ServiceAccount", "serviceAccount": {"name": "gristmill-operator", "namespace": OPERATOR}}
    rule = {**rule, "clusterScope": True, "namespaces": ["*"]}
    return {"apiVersion": "flowcontrol.apiserver.k8s.io/v1", "kind": "FlowSchema", "metadata": {"name": name},
            "spec": {"matchingPrecedence": precedence, "priorityLevelConfiguration": {"name": "workload-low"},
                     "distinguisherMethod": {"type": "ByUser"},
                     "rules": [{"subjects": [subject], "resourceRules": [rule]}]}}


def requests():
    """Requests of the operator since the start of the API server, by flow schema."""
    found = dict.fromkeys(FLOWS, 0)
    for line in kubectl("get", "--raw", "/metrics").splitlines():
        match = re.match(r'apiserver_flowcontrol_dispatched_requests_total\{flow_schema="([^"]+)".*\} (\S+)', line)
        if match and match[1] in found:
            found[match[1]] += float(match[2])
    return found


def resource(number):
    name = f"books-{number:03}"
    document = manifest.ingest(name, f"many-{number:03}", f"hdfs://namenode.library.svc:8020/many/{name}",
                               bootstrap=BOOTSTRAP_PODS, suspend=number >= RUNNING,
                               pod={"cpu": "20m", "memory": "128Mi"})
    document["metadata"]["namespace"] = NAMESPACE
    return document


def resources():
    return json.loads(kubectl("get", "streamingests", "-n", NAMESPACE, "-o", "json"))["items"]


def is_ready(resource):
    status = resource.get("status", {})
    ready = next(each for each in status["conditions"] if each["type"] == "Ready")
    return ready["status"] == "True" and status.get("observedGeneration") == resource["metadata"]["generation"]


def operator_memory():
    """Of the process that has most: resident MiB, and its largest."""
    sizes = [(int(each["VmRSS"]) >> 10, int(each["VmHWM"]) >> 10) for name, _, each in ours()
             if name == "gristmill-operator run"]
    require(sizes, "no operator runs on this machine")
    return max(sizes)


def reconciled():
    """How many StreamIngests the leader has looked at, by its own metrics."""
    found = leader()
    if not found:
        return 0
    pod, _ = found
    address = pod["status"].get("podIP")
    done = subprocess.run(["curl", "-fsS", "-m", "5", f"http://{address}:8080/metrics"], text=True, capture_output=True)
    series = re.findall(r"gristmill_resource_ready\{([^}]*)\}", done.stdout)
    return sum('kind="StreamIngest"' in labels and f'namespace="{NAMESPACE}"' in labels for labels in series)


def work():
    quickstart.install()
    kubectl("create", "namespace", NAMESPACE)
    HDFS.fs("-mkdir", "-p", "/many")
    HDFS.fs("-chmod", "777", "/many")
    kubectl("apply", "-f", "-", input="\n---\n".join(json.dumps(flow_schema(name, *flow)) for name, flow in FLOWS.items()))
    for number in range(RUNNING):
        topics.create(f"many-{number:03}", 1)
        topics.books(f"many-{number:03}", 100, number)
    file = manifest.write(*(resource(number) for number in range(ALL)), file="many.yaml")
    kubectl("apply", "--server-side", "-f", file)
    wait(f"{ALL} resources are ready", lambda: sum(map(is_ready, resources())) == ALL)
    made = len(kubectl("get", KINDS, "-n", NAMESPACE, "-l", "gristmill.dev/stream-ingest", "-o", "name").split())
    require(made == ALL * OBJECTS, f"{made} objects were made, and {ALL * OBJECTS} are wanted")
    say(f"{made} objects, {len(pods('gristmill.dev/stream-ingest', NAMESPACE))} pods")
    # Statuses with new figures are written for a minute after the last message.
    time.sleep(size(120, 40))

    before = requests()
    time.sleep(IDLE)
    counts = {name: count - before[name] for name, count in requests().items()}
    say(f"in {IDLE} idle seconds: " + ", ".join(f"{name} {count:.0f}" for name, count in counts.items()))
    a_minute = counts["gristmill-requests"] * 60 / IDLE
    say(f"{a_minute:.1f} requests a minute beside watches and renewals")
    require(a_minute <= REQUESTS_A_MINUTE, f"more than {REQUESTS_A_MINUTE} requests a minute although nothing happens")
    require(counts["gristmill-leases"] > 0, "no renewal of a Lease was counted: the counting does not work")

    drift = subprocess.run(["kubectl", "diff", "--server-side", "-f", file], text=True, capture_output=True)
    require(drift.returncode == 0, f"what was applied differs from what is there:\n{drift.stdout[:2000]}{drift.stderr[:500]}")
    say("kubectl diff --server-side: no difference")

    workers = names(pods("gristmill.dev/stream-ingest", NAMESPACE))
    kubectl("delete", "pods", "-n", OPERATOR, "-l", "app.kubernetes.io/name=gristmill-operator", "--grace-period=0", "--force")
    wait(f"after a restart the operator has looked at all {ALL}", lambda: reconciled() == ALL)
    require(names(pods("gristmill.dev/stream-ingest", NAMESPACE)) == workers, "a restart of the operator replaced workers")
    resident, largest = operator_memory()
    say(f"memory of the operator: RSS {resident} MiB, most {largest} MiB of {LARGEST_MIB}")
    require(largest <= LARGEST_MIB, f"the operator took {largest} MiB")


if __name__ == "__main__":
    main(work)
