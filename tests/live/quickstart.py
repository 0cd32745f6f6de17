"""The quickstart on a real cluster, as a newcomer would apply it; see suites/quickstart."""

import json
import os
import random
import re
import shutil
import subprocess
import sys
import threading
import time

import oracle

LIVE = os.environ["GRISTMILL_LIVE"]
ROOT = os.path.dirname(os.path.dirname(LIVE))
SHORT = os.environ.get("GRISTMILL_LIVE_SHORT") == "1"
SEED = int(os.environ.get("GRISTMILL_LIVE_SEED", "42"))
MESSAGES = 3_000 if SHORT else 30_000
KILLS = 3 if SHORT else 20
TOPIC = "book_data_topic"
NAMESPACE = "library"
LIMIT = 240  # seconds that any single condition may take; generous, what it took is printed


def say(text):
    print(f"quickstart   {text}", flush=True)


def run(*command, **options):
    done = subprocess.run(command, text=True, capture_output=True, **options)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command)}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def kubectl(*arguments, **options):
    return run("kubectl", *arguments, **options)


def get(kind, name, namespace=NAMESPACE):
    return json.loads(kubectl("get", kind, name, "-n", namespace, "-o", "json"))


def refused(document):
    """The API server's sentence for a document that it must not take."""
    done = subprocess.run(["kubectl", "apply", "-f", "-"], input=document, text=True, capture_output=True)
    if done.returncode == 0:
        raise SystemExit(f"the API server took a document that it must refuse:\n{document}")
    return done.stderr.strip()


def wait(what, condition):
    begin = time.monotonic()
    while True:
        value = condition()
        if value:
            say(f"{what}: {time.monotonic() - begin:.1f} s")
            return value
        if time.monotonic() - begin > LIMIT:
            explain()
            raise SystemExit(f"waited {LIMIT} s in vain: {what}")
        time.sleep(0.5)


def explain():
    """What a person on call would look at."""
    for command in (["get", "streamingests,hourlycompactions,pods,jobs", "-n", NAMESPACE, "-o", "wide"],
                    ["describe", "streamingests,hourlycompactions", "-n", NAMESPACE],
                    ["get", "events", "-n", NAMESPACE, "--sort-by=.lastTimestamp"],
                    ["logs", "-n", NAMESPACE, "-l", "app.kubernetes.io/managed-by=gristmill-operator", "--tail=40", "--prefix"],
                    ["logs", "-n", "gristmill-system", "-l", "app.kubernetes.io/name=gristmill-operator", "--tail=40"]):
        done = subprocess.run(["kubectl", *command], text=True, capture_output=True)
        print(f"$ kubectl {' '.join(command)}\n{done.stdout[-6000:]}{done.stderr[-1000:]}", file=sys.stderr)


def status(kind, name="books"):
    return get(kind, name).get("status", {})


def condition(kind, wanted, name="books"):
    return next((c for c in status(kind, name).get("conditions", []) if c["type"] == wanted), {})


def install():
    """The lines of the README, with the image that was just built."""
    kubectl("apply", "--server-side", "-f", f"{ROOT}/crds/")
    kubectl("wait", "--for=condition=Established", "crd", "-l", "app.kubernetes.io/part-of=gristmill", "--timeout=60s")
    kubectl("apply", "-k", f"{ROOT}/manifests/operator")
    kubectl("rollout", "status", "deployment/gristmill-operator", "-n", "gristmill-system", f"--timeout={LIMIT}s")


def check_refusals():
    """The schema and the operator refuse what they must, in words that name the field."""
    books = open(f"{ROOT}/manifests/quickstart/books.yaml").read().split("---")[0]
    moved = refused(books.replace("raw_zone/books", "raw_zone/elsewhere"))
    if "raw.path can't be changed" not in moved:
        raise SystemExit(f"a moved zone is refused without the way out: {moved}")
    lower = refused(books.replace("name: books", "name: other").replace("type: Int32", "type: int32"))
    if "int32" not in lower:
        raise SystemExit(f"a wrong type is refused without its name: {lower}")
    broken = books.replace("name: books", "name: broken").replace("path: author/name", "path: ancestor::name")
    kubectl("apply", "-f", "-", input=broken)
    accepted = wait("a wrong path is refused by the operator", lambda: condition("streamingest", "Accepted", "broken"))
    if accepted["status"] != "False" or "spec.record.columns[2].path" not in accepted["message"]:
        raise SystemExit(f"the refusal does not name the field: {accepted}")
    kubectl("delete", "streamingest", "broken", "-n", NAMESPACE)


def kill_pods(randomness):
    """Kills the worker at random commits and the operator once, without grace."""
    seen = 0
    for number in range(KILLS):
        target = seen + randomness.randint(1, 2)
        wait(f"kill {number + 1} of {KILLS}: commit {target}", lambda: sequence() >= target or caught_up())
        seen = sequence()
        kill(NAMESPACE, "gristmill.dev/stream-ingest=books")
        if number == 0:
            kill("gristmill-system", "app.kubernetes.io/name=gristmill-operator")


def kill(namespace, label):
    # As a lost node would: SIGKILL, nothing is drained.
    kubectl("delete", "pod", "-n", namespace, "-l", label, "--grace-period=0", "--force", "--wait=false")


def sequence():
    """Head of the RAW log as the product's own reader sees it, which does not depend on the pods."""
    log = subprocess.run([f"{LIVE}/hdfs.sh", "fs", "-ls", "-C", "/raw_zone/books/_log/*/*.json"],
                         text=True, capture_output=True).stdout.split()
    return max((int(re.search(r"(\d{20})\.json$", name).group(1)) for name in log), default=0)


def caught_up():
    return status("streamingest").get("lag", {}).get("records") == 0


def produced(count):
    """All messages of the topic are in the log, by the identity of the status."""
    messages = status("streamingest").get("messages", {})
    return sum(messages.get(key, 0) for key in ("accepted", "rejected", "tombstones")) == count


def produce(count, seed):
    return json.loads(run("gristmill", "produce", "--bootstrap-servers", os.environ["KAFKA_BOOTSTRAP"], "--topic", TOPIC,
                          "--count", str(count), "--seed", str(seed), "--duplicates", "2", "--malformed", "2",
                          "--invalid", "3", "--rate", "400", "--json"))


def run_now(name):
    kubectl("create", "job", "-n", NAMESPACE, "--from=cronjob/books-compaction", name)
    wait(f"run-now {name}", lambda: get("job", name)["status"].get("succeeded") == 1)
    return wait(f"run {name} in the status", lambda: condition("hourlycompaction", "Ready").get("status") == "True"
                and not status("hourlycompaction").get("activeJob") and status("hourlycompaction").get("zone"))


def memory():
    """Resident memory of our containers in MiB, from the kubelet."""
    node = json.loads(kubectl("get", "nodes", "-o", "json"))["items"][0]["metadata"]["name"]
    stats = json.loads(kubectl("get", "--raw", f"/api/v1/nodes/{node}/proxy/stats/summary"))
    for pod in stats["pods"]:
        for container in pod.get("containers", []):
            if container["name"] in ("worker", "operator") and container.get("memory", {}).get("rssBytes"):
                yield container["name"], container["memory"]["rssBytes"] / (1 << 20)


def check(directory, count):
    messages = oracle.read_topic(os.environ["KAFKA_BOOTSTRAP"], TOPIC)
    if len(messages) != count:
        raise SystemExit(f"the topic holds {len(messages)} messages, and {count} were produced")
    shutil.rmtree(directory, ignore_errors=True)
    os.makedirs(directory)
    for path in ("raw_zone", "processed_zone"):
        oracle.copy_out(f"/{path}", f"{directory}/{path}")
    expected = oracle.Expected(messages)
    raw = oracle.check_raw(f"{directory}/raw_zone/books", expected, TOPIC)
    rejects = oracle.check_rejects(f"{directory}/raw_zone/books_rejected", expected, messages)
    processed = oracle.check_processed(f"{directory}/processed_zone/books", expected, raw["topic_id"])
    figures = oracle.summary(expected, **{**raw, **rejects, **processed})
    told = status("streamingest")["messages"]
    if (told["accepted"], told["rejected"], told["tombstones"]) != (expected.accepted, expected.rejected, 0):
        raise SystemExit(f"the status tells {told}, and the topic says {figures}")


def main():
    randomness = random.Random(SEED)
    say(f"{'short' if SHORT else 'full'}: {MESSAGES} messages, {KILLS} kills, seed {SEED}")
    install()
    applied = time.monotonic()
    kubectl("apply", "-f", f"{ROOT}/manifests/quickstart/")
    wait("first committed row after apply", lambda: status("streamingest").get("rows", {}).get("accepted", 0) > 0)
    say(f"apply to first committed row seen: {time.monotonic() - applied:.1f} s")
    check_refusals()
    wait("the producer's job", lambda: get("job", "book-producer")["status"].get("succeeded") == 1)
    first = 3000
    background = threading.Thread(target=produce, args=(MESSAGES, SEED + 1))
    background.start()
    kill_pods(randomness)
    background.join()
    wait("all messages in the log", lambda: produced(first + MESSAGES) and caught_up())
    for kind, size in memory():
        say(f"RSS of the {kind}: {size:.0f} MiB")
    run_now("books-now-1")
    directory = os.path.join(os.environ["SUITE_TMP"], "zones")
    try:
        check(directory, first + MESSAGES)
        more = 300
        produce(more, SEED + 2)
        wait("the second batch in the log", lambda: produced(first + MESSAGES + more) and caught_up())
        run_now("books-now-2")
        check(directory, first + MESSAGES + more)
        before = run(f"{LIVE}/hdfs.sh", "fs", "-ls", "-R", "-C", "/processed_zone/books")
        run_now("books-now-3")
        if run(f"{LIVE}/hdfs.sh", "fs", "-ls", "-R", "-C", "/processed_zone/books") != before:
            raise SystemExit("a run without new records changed the Processed zone")
        say("a run without new records changed nothing")
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    for kind in ("streamingest", "hourlycompaction"):
        ready = condition(kind, "Ready")
        say(f"{kind} Ready={ready.get('status')} {ready.get('reason')}: {ready.get('message')}")
        if ready.get("status") != "True" or condition(kind, "Accepted").get("status") != "True":
            explain()
            raise SystemExit(f"{kind} is not ready at the end")
    print(kubectl("get", "streamingests,hourlycompactions", "-n", NAMESPACE))


if __name__ == "__main__":
    main()
