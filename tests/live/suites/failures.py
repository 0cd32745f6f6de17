"""What goes wrong on a cluster, and what people do to it, while messages flow; see suites/failures."""

import json
import os
import shutil
import signal

import manifest
import oracle
import prometheus
import quickstart
import topics
from quickstart import condition, get, kubectl, log, processes_of, wait
from suite import LIMIT, LIVE, ROOT, SEED, TMP, Failed, chosen, main, require, run, say, size
from zone_log import HDFS

NAMESPACE = quickstart.NAMESPACE
OPERATOR = "gristmill-system"
TOPIC = quickstart.TOPIC
WORKERS = 2
PARTITIONS = 4
RATE = 100
# Each message that this suite sends is read, however long the machine takes; more are sent while something is waited for.
COUNT = 1_000_000
RAW = f"{os.environ['HDFS_URL']}/raw_zone/books"
LABEL = "gristmill.dev/stream-ingest=books"


def documents(**blocks):
    """The resources of the quickstart with two workers, which leave a lost node soon."""
    ingest, compaction = manifest.merged(manifest.INGEST, {}), manifest.merged(manifest.COMPACTION, {})
    away = [{"key": f"node.kubernetes.io/{reason}", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 5}
            for reason in ("unreachable", "not-ready")]
    ingest["spec"] = manifest.merged(ingest["spec"], {
        "scaling": {"mode": "Manual", "replicas": WORKERS}, "rejected": manifest.NO_HOLD,
        "raw": {"files": {"maxAge": "5s"}, "retention": {"after": "30d", "action": "Delete"}}, "pod": {"tolerations": away}, **blocks})
    return ingest, compaction


def apply(*objects):
    for each in objects:
        kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", input=json.dumps(each))


def patch(change, kind="streamingest", name="books", namespace=NAMESPACE):
    kubectl("patch", kind, name, "-n", namespace, "--type=merge", "-p", json.dumps(change))


def pods(label=LABEL, namespace=NAMESPACE):
    """Pods that are not about to end."""
    found = json.loads(kubectl("get", "pods", "-n", namespace, "-l", label, "-o", "json"))["items"]
    return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]


def is_ready(pod):
    return any(each["type"] == "Ready" and each["status"] == "True" for each in pod["status"].get("conditions", []))


def ready_pods(**options):
    return [pod for pod in pods(**options) if is_ready(pod)]


def names(found):
    return {pod["metadata"]["name"] for pod in found}


def observed():
    """Whether the operator has looked at the newest spec."""
    resource = get("streamingest", "books")
    return resource["metadata"]["generation"] == resource.get("status", {}).get("observedGeneration")


def flows(feed, what):
    """Messages that are sent from now on are committed, by as many workers as are wanted."""
    wanted = sum(topics.ends(TOPIC).values()) + RATE
    wait(f"{what}: messages of after it are committed", lambda: feed.go_on() or log()["messages"] >= wanted)
    wait(f"{what}: {WORKERS} workers are ready", lambda: len(ready_pods()) == WORKERS)
    wait(f"{what}: Ready", lambda: condition("streamingest", "Ready").get("status") == "True")


def worker_pod(feed):
    before = names(pods())
    kubectl("delete", "pod", "-n", NAMESPACE, next(iter(before)), "--wait=false")
    wait("another worker comes", lambda: len(ready_pods()) == WORKERS and names(pods()) != before)
    flows(feed, "a worker's pod deleted")


def holder():
    """Who holds the Lease: the name of a pod and a part that another process in it does not share; empty if nobody does."""
    leases = json.loads(kubectl("get", "leases", "-n", OPERATOR, "-o", "json"))["items"]
    return (leases[0]["spec"].get("holderIdentity") or "") if leases else ""


def leader():
    """The pod that leads, and its hold of the Lease."""
    held = holder()
    found = pods("app.kubernetes.io/name=gristmill-operator", OPERATOR)
    return next(((pod, held) for pod in found if held.startswith(pod["metadata"]["name"])), None)


def delete_leader(pod, *options):
    kubectl("delete", "pod", "-n", OPERATOR, pod["metadata"]["name"], *options, "--wait=false")


def kill_leader(pod):
    """Its process gets no chance to give the Lease up; another one begins in the same pod."""
    def runs_operator(process):
        with open(f"/proc/{process}/cmdline", "rb") as file:
            return file.read().split(b"\0")[0].endswith(b"gristmill-operator")

    process = next(filter(runs_operator, processes_of({pod["metadata"]["uid"]})), None)
    require(process, "the leader has no process on this machine")
    os.kill(process, signal.SIGKILL)


def operator_pod(feed):
    """The leader goes in each way there is: another one leads, and no worker notices."""
    workers = names(pods())
    ways = {"deleted": delete_leader, "deleted by force": lambda pod: delete_leader(pod, "--grace-period=0", "--force"),
            "killed": kill_leader}
    for number, (what, goes) in enumerate(ways.items()):
        first, held = wait("a leader", leader)
        goes(first)
        wait(f"another leader, the first one {what}", lambda: holder() not in ("", held))
        patch({"metadata": {"labels": {"team": "books"}}, "spec": {"scaling": {"maxReplicas": 8 + number}}})
        wait("it has looked at a changed maxReplicas", observed)
    require(names(pods()) == workers, "an edit of a label and of maxReplicas, or another leader, replaced a worker")
    flows(feed, "the leader deleted")


OWNED = ["deployment/books-ingest", "serviceaccount/books-ingest", "poddisruptionbudget/books-ingest",
         "networkpolicy/books-ingest", "cronjob/books-compaction", "serviceaccount/books-compaction"]


def owned():
    """What the operator made, as it stands: specs without what the API server fills in."""
    return {name: get(*name.split("/")).get("spec") for name in OWNED}


def is_back(wanted):
    try:
        return owned() == wanted
    except Failed:
        return False


def by_hand(feed):
    """Everything that the operator made is edited, then deleted."""
    wanted = owned()
    strategic = {"spec": {"template": {"spec": {"containers": [{"name": "gristmill", "args": ["help"]}]}}}}
    container = wanted["deployment/books-ingest"]["template"]["spec"]["containers"][0]["name"]
    strategic["spec"]["template"]["spec"]["containers"][0]["name"] = container
    kubectl("patch", "deployment", "books-ingest", "-n", NAMESPACE, "-p", json.dumps(strategic))
    patch({"spec": {"replicas": 0}}, "deployment", "books-ingest")
    patch({"spec": {"maxUnavailable": 2}}, "poddisruptionbudget", "books-ingest")
    patch({"spec": {"ingress": [{}]}}, "networkpolicy", "books-ingest")
    patch({"spec": {"schedule": "0 0 1 1 *", "suspend": True}}, "cronjob", "books-compaction")
    wait("what was edited by hand is as it was", lambda: is_back(wanted))
    flows(feed, "objects edited by hand")
    for name in OWNED:
        kubectl("delete", "-n", NAMESPACE, name, "--wait=false")
    maps = json.loads(kubectl("get", "configmaps", "-n", NAMESPACE, "-l", LABEL, "-o", "json"))["items"]
    for each in maps:
        kubectl("delete", "configmap", "-n", NAMESPACE, each["metadata"]["name"])
    wait("what was deleted by hand is there again", lambda: is_back(wanted))
    flows(feed, "objects deleted by hand")


def server(name):
    with open(f"{os.environ['GRISTMILL_LIVE_RUN']}/pids/{name}", encoding="ascii") as file:
        return int(file.read().split()[0])


def cluster_up():
    run(f"{LIVE}/kubernetes/up.sh")


def api_server(feed):
    """Workers need no API server: they go on without it."""
    before = log()["head_sequence"]
    os.kill(server("apiserver"), signal.SIGKILL)
    try:
        wait("without an API server messages are committed", lambda: log()["head_sequence"] >= before + 2)
    finally:
        cluster_up()
    patch({"spec": {"scaling": {"maxReplicas": 7}}})
    wait("the operator has looked at a changed maxReplicas", observed)
    flows(feed, "the API server killed")


def node_is(name, wanted):
    conditions = get("node", name)["status"]["conditions"]
    return next(each["status"] for each in conditions if each["type"] == "Ready") == wanted


def kubelet(feed):
    before = log()["head_sequence"]
    os.kill(server("kubelet"), signal.SIGKILL)
    try:
        wait("the node is not ready", lambda: node_is("node1", "Unknown"))
        wait("without a kubelet messages are committed", lambda: log()["head_sequence"] > before)
    finally:
        cluster_up()
    wait("the node is ready", lambda: node_is("node1", "True"))
    flows(feed, "the kubelet killed")


def second_node(feed):
    """A worker moves to another node, which is lost with it: nobody there says that it ended."""
    run(f"{LIVE}/kubernetes/second_node.sh", f"{TMP}/gristmill-0.1.0.tar")
    kubectl("cordon", "node1")
    kubectl("delete", "pod", "-n", NAMESPACE, next(iter(names(pods()))), "--wait=false")
    there = wait("a worker on the second node",
                 lambda: [pod for pod in ready_pods() if pod["spec"].get("nodeName") == "node2"])
    kubectl("uncordon", "node1")
    flows(feed, "a worker moved to the second node")
    os.kill(server("kubelet-node2"), signal.SIGKILL)
    for process in processes_of({pod["metadata"]["uid"] for pod in there}):
        os.kill(process, signal.SIGKILL)
    wait("the second node is not ready", lambda: node_is("node2", "Unknown"))
    wait("both workers are on the first node",
         lambda: [pod["spec"].get("nodeName") for pod in ready_pods()] == ["node1"] * WORKERS)
    flows(feed, "the second node lost")
    kubectl("delete", "node", "node2")
    for pod in there:
        kubectl("delete", "pod", "-n", NAMESPACE, pod["metadata"]["name"], "--force", "--grace-period=0", "--ignore-not-found")


def image(feed):
    """A new version of the operator brings one of the workers, one worker after the other."""
    run(f"{LIVE}/kubernetes/load-gristmill.sh", "0.1.1")
    kubectl("set", "env", "-n", OPERATOR, "deployment/gristmill-operator", "GRISTMILL_WORKER_IMAGE=gristmill:0.1.1")
    kubectl("rollout", "status", "deployment/gristmill-operator", "-n", OPERATOR, f"--timeout={LIMIT}s")
    images = lambda: {container["image"] for pod in ready_pods() for container in pod["spec"]["containers"]}
    wait("all workers have the new image", lambda: len(ready_pods()) == WORKERS and images() == {"gristmill:0.1.1"})
    flows(feed, "a new image")


def rules(feed):
    """A rule that no message breaks: other workers, the same rows."""
    before = names(pods())
    ingest, _ = documents()
    for column in ingest["spec"]["record"]["columns"]:
        if column["name"] == "title":
            column["maxLength"] = 499
    apply(ingest)
    wait("all workers are others", lambda: len(ready_pods()) == WORKERS and not names(ready_pods()) & before)
    flows(feed, "a changed rule")


def suspend(feed):
    patch({"spec": {"suspend": True}})
    patch({"spec": {"suspend": True}}, "hourlycompaction")
    wait("no pod", lambda: not json.loads(kubectl("get", "pods", "-n", NAMESPACE, "-l", LABEL, "-o", "json"))["items"])
    for kind in ("streamingest", "hourlycompaction"):
        ready = wait(f"{kind} says so", lambda: condition(kind, "Ready").get("reason") == "Suspended" and condition(kind, "Ready"))
        require(ready["status"] == "True", f"a suspended {kind} is not Ready: {ready}")
    require(get("cronjob", "books-compaction")["spec"]["suspend"], "the CronJob goes on")
    patch({"spec": {"suspend": False}})
    patch({"spec": {"suspend": False}}, "hourlycompaction")
    flows(feed, "suspended and resumed")


def deletion(feed):
    """Pods end after they committed, what the operator made goes, the data stays; made again, it goes on where it was."""
    for kind in ("streamingest", "hourlycompaction"):
        kubectl("delete", kind, "books", "-n", NAMESPACE, "--wait=false")
    everything = "deployments,configmaps,serviceaccounts,poddisruptionbudgets,networkpolicies,cronjobs,pods"
    left = lambda: [f"{each['kind']} {each['metadata']['name']}" for label in (LABEL, "gristmill.dev/hourly-compaction=books")
                    for each in json.loads(kubectl("get", everything, "-n", NAMESPACE, "-l", label, "-o", "json"))["items"]]
    wait("nothing of it is left on the cluster", lambda: not left())
    at_rest = log()
    require(at_rest["messages"] > 0 and list(HDFS.files("/raw_zone/books")), "the data went with the resource")
    apply(*documents())
    flows(feed, "deleted and made again")
    require(log()["head_sequence"] > at_rest["head_sequence"], "the log did not go on where it stood")


def scraped(scraper):
    """The dashboards and alerts of the chart have data of these pods."""
    found = ready_pods() + pods("app.kubernetes.io/name=gristmill-operator", OPERATOR)
    scraper.scrape(pod["status"]["podIP"] for pod in found)
    prometheus.check_panels(scraper)
    prometheus.check_alerts(scraper)


def rewind():
    """The whole topic once more, in generation 1."""
    patch({"spec": {"rewind": {"nonce": "once-more", "position": "Earliest"}}})
    wanted = 2 * sum(topics.ends(TOPIC).values())
    wait("everything is read once more", lambda: log()["messages"] == wanted)


def start_anew():
    """Other suites of the run may have left resources, zones and a topic of these names."""
    kubectl("delete", "streamingest,hourlycompaction", "--all", "-n", NAMESPACE)
    wait("no pod of another suite", lambda: not pods("app.kubernetes.io/managed-by=gristmill-operator"))
    for path in ("/raw_zone/books", "/raw_zone/books_rejected", "/processed_zone/books"):
        if HDFS.list(path):
            HDFS.fs("-rm", "-r", path)
    if TOPIC in topics.admin().list_topics(timeout=30).topics:
        topics.delete(TOPIC)
        wait("the topic is gone", lambda: TOPIC not in topics.admin().list_topics(timeout=30).topics)


PARTS = [worker_pod, operator_pod, by_hand, api_server, kubelet, second_node, image, rules, suspend, deletion]
# What takes longest waits for a node's lease to end.
SHORT_PARTS = [operator_pod, by_hand, rules, suspend, deletion]


def work():
    quickstart.install()
    kubectl("apply", "-f", f"{ROOT}/manifests/quickstart/00-namespace.yaml")
    start_anew()
    topics.create(TOPIC, PARTITIONS)
    apply(*documents())
    scraper, feed = prometheus.Prometheus(), topics.Feed(TOPIC, COUNT, SEED, RATE)
    try:
        flows(feed, "applied")
        for part in chosen(*size(PARTS, SHORT_PARTS)):
            part(feed)
        scraped(scraper)
    finally:
        feed.end()
        scraper.end()
    count = sum(topics.ends(TOPIC).values())
    wait("all messages are committed", lambda: log()["messages"] == count)
    rewind()
    quickstart.run_now("books-now")
    check()


def check():
    """Every row of the topic once in each generation, and each key once in the Processed zone."""
    messages, _ = oracle.read_topic(TOPIC)
    directory = os.path.join(TMP, "zones")
    shutil.rmtree(directory, ignore_errors=True)
    os.makedirs(directory)
    try:
        for path, target in (("raw_zone/books", "raw"), ("raw_zone/books_rejected", "rejected"),
                             ("processed_zone/books", "processed")):
            HDFS.fs("-get", f"/{path}", f"{directory}/{target}")
        once = oracle.Expected(messages)
        expected = {0: once, 1: once}
        raw = oracle.check_raw(f"{directory}/raw", expected, TOPIC)
        rejects = oracle.check_rejects(f"{directory}/rejected", expected)
        processed = oracle.check_processed(f"{directory}/processed", once, raw["topic_id"])
        oracle.check_identity(RAW, expected)
        oracle.summary(expected, **raw, **rejects, **processed)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main(work)
