"""The quickstart on a real cluster, as a newcomer would apply it; see suites/quickstart."""

import contextlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import threading

import oracle
import quickstart_plugin as plugin
import topics
from suite import LIMIT, ROOT, SEED, TMP, Failed, main, require, run, say, size
from suite import wait as wait_for
from zone_log import HDFS

MESSAGES = size(30_000, 3_000)
KILLS = size(20, 3)
# The messages flow for as long as the kills take: about 25 s each, of which the group's session is 15 s.
RATE = MESSAGES // (KILLS * 25)
TOPIC = "book_data_topic"
NAMESPACE = "library"


def kubectl(*arguments, **options):
    return run("kubectl", *arguments, **options)


def get(kind, name, namespace=NAMESPACE):
    return json.loads(kubectl("get", kind, name, "-n", namespace, "-o", "json"))


def refused(document):
    """The API server's sentence for a document that it must not take."""
    done = subprocess.run(["kubectl", "apply", "-f", "-"], input=document, text=True, capture_output=True)
    if done.returncode == 0:
        raise Failed(f"the API server took a document that it must refuse:\n{document}")
    return done.stderr.strip()


def wait(what, condition):
    return wait_for(what, condition, pause=0.5)


def explain():
    """What a person on call would look at."""
    for command in (["get", "streamingests,hourlycompactions,pods,jobs", "-n", NAMESPACE, "-o", "wide"],
                    ["describe", "streamingests,hourlycompactions", "-n", NAMESPACE],
                    ["get", "events", "-n", NAMESPACE, "--sort-by=.lastTimestamp"],
                    ["logs", "-n", NAMESPACE, "-l", "app.kubernetes.io/managed-by=gristmill-operator", "--tail=40", "--prefix"],
                    ["logs", "-n", "gristmill-system", "-l", "app.kubernetes.io/name=gristmill-operator", "--tail=40"]):
        done = subprocess.run(["kubectl", *command], text=True, capture_output=True)
        print(f"$ kubectl {' '.join(command)}\n{done.stdout[-6000:]}{done.stderr[-1000:]}", file=sys.stderr)


@contextlib.contextmanager
def explained():
    """A suite that fails shows what a person on call would look at."""
    try:
        yield
    except Failed:
        explain()
        raise


def status(kind, name="books"):
    return get(kind, name).get("status", {})


def condition(kind, wanted, name="books"):
    return next((c for c in status(kind, name).get("conditions", []) if c["type"] == wanted), {})


def install():
    """The lines of the README, with the image that was just built."""
    kubectl("apply", "--server-side", "-f", f"{ROOT}/crds/")
    kubectl("apply", "-k", f"{ROOT}/manifests/operator")
    kubectl("rollout", "status", "deployment/gristmill-operator", "-n", "gristmill-system", f"--timeout={LIMIT}s")


def check_refusals():
    """The schema and the operator refuse what they must, in words that name the field."""
    books = open(f"{ROOT}/manifests/quickstart/books.yaml").read().split("---")[0]
    moved = refused(books.replace("raw_zone/books", "raw_zone/elsewhere"))
    if "raw.path can't be changed" not in moved:
        raise Failed(f"a moved zone is refused without the way out: {moved}")
    lower = refused(books.replace("name: books", "name: other").replace("type: Int32", "type: int32"))
    if "int32" not in lower:
        raise Failed(f"a wrong type is refused without its name: {lower}")
    broken = books.replace("name: books", "name: broken").replace("path: author/name", "path: ancestor::name")
    kubectl("apply", "-f", "-", input=broken)
    accepted = wait("a wrong path is refused by the operator", lambda: condition("streamingest", "Accepted", "broken"))
    if accepted["status"] != "False" or "spec.record.columns[2].path" not in accepted["message"]:
        raise Failed(f"the refusal does not name the field: {accepted}")
    kubectl("delete", "streamingest", "broken", "-n", NAMESPACE)


def kill_pods(randomness):
    """Kills the worker at random commits, and the operator once."""
    for number in range(KILLS):
        target = log()["head_sequence"] + randomness.randint(1, 2)
        wait(f"kill {number + 1} of {KILLS}: commit {target}", lambda: log()["head_sequence"] >= target)
        kill(number)
        if number == 0:
            delete("gristmill-system", "app.kubernetes.io/name=gristmill-operator")


def kill(number):
    """In turn as a crash, SIGKILL of the process, and as an eviction in haste, a deletion without grace.

    Pods elsewhere than on this machine are deleted each time.
    """
    worker = next((process for name, process, _ in ours() if name == "gristmill ingest"), None)
    if number % 2 == 0 and worker:
        os.kill(worker, signal.SIGKILL)
    else:
        delete(NAMESPACE, "gristmill.dev/stream-ingest=books")


def delete(namespace, label):
    kubectl("delete", "pod", "-n", namespace, "-l", label, "--grace-period=0", "--force", "--wait=false")


def log(zone=f"{os.environ['HDFS_URL']}/raw_zone/books"):
    """What the log of a RAW zone says; before there is one, nothing."""
    done = subprocess.run(["gristmill", "inspect", zone, "--json", "--user", "etl"],
                          text=True, capture_output=True)
    if done.returncode == 6 and "is not a zone" in done.stderr:
        return {"head_sequence": 0, "messages": 0, "rows": 0}
    if done.returncode != 0:
        raise Failed(f"inspect: exit {done.returncode}: {done.stderr}")
    return json.loads(done.stdout)


def run_now(name):
    kubectl("create", "job", "-n", NAMESPACE, "--from=cronjob/books-compaction", name)
    wait(f"run-now {name}", lambda: get("job", name)["status"].get("succeeded") == 1)
    return wait(f"run {name} in the status", lambda: condition("hourlycompaction", "Ready").get("status") == "True"
                and not status("hourlycompaction").get("activeJob") and status("hourlycompaction").get("zone"))


def processes_of(uids):
    """The processes of these pods, on this machine."""
    for process in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{process}/cgroup", encoding="ascii") as file:
                group = file.read()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if any(f"pod{uid}" in group for uid in uids):
            yield int(process)


def ours():
    """The processes of our pods, where they run on this machine: name, process id, sizes in kB."""
    found = json.loads(kubectl("get", "pods", "--all-namespaces", "-o", "json"))["items"]
    for process in processes_of({pod["metadata"]["uid"] for pod in found}):
        try:
            with open(f"/proc/{process}/cmdline", "rb") as file:
                program, *arguments = file.read().decode().split("\0")
            with open(f"/proc/{process}/status", encoding="ascii") as file:
                sizes = dict(re.findall(r"(VmRSS|VmHWM):\s+(\d+) kB", file.read()))
        except (FileNotFoundError, ProcessLookupError):
            continue
        if sizes and program.startswith("/usr/local/bin/gristmill") and arguments[0] in ("ingest", "run"):
            yield f"{os.path.basename(program)} {arguments[0]}", process, sizes


def check(directory, count):
    messages, _ = oracle.read_topic(TOPIC)
    require(len(messages) == count, f"the topic holds {len(messages)} messages, and {count} were produced")
    shutil.rmtree(directory, ignore_errors=True)
    os.makedirs(directory)
    for path in ("raw_zone", "processed_zone"):
        HDFS.fs("-get", f"/{path}/books", f"{directory}/{path}")
    HDFS.fs("-get", "/raw_zone/books_rejected", f"{directory}/raw_zone_rejected")
    expected = {0: oracle.Expected(messages)}
    raw = oracle.check_raw(f"{directory}/raw_zone", expected, TOPIC)
    rejects = oracle.check_rejects(f"{directory}/raw_zone_rejected", expected)
    processed = oracle.check_processed(f"{directory}/processed_zone", expected[0], raw["topic_id"])
    oracle.check_identity(f"{os.environ['HDFS_URL']}/raw_zone/books", expected)
    oracle.summary(expected, **raw, **rejects, **processed)
    return expected[0]


def check_status(expected):
    """The status tells the identity; figures are written at most every 60 s."""
    told = wait("the identity in the status", lambda: told_by_status(expected))
    say(f"status: {told}")


def told_by_status(expected):
    told = status("streamingest").get("messages", {})
    return told if (told.get("accepted"), told.get("rejected")) == (expected.accepted, expected.rejected) else None


@explained()
def work():
    randomness = random.Random(SEED)
    say(f"{MESSAGES} messages at {RATE}/s, {KILLS} kills")
    install()
    kubectl("apply", "-f", f"{ROOT}/manifests/quickstart/")
    wait("apply to the first committed row", lambda: log()["rows"] > 0)
    check_refusals()
    wait("the producer's job", lambda: get("job", "book-producer")["status"].get("succeeded") == 1)
    first = 3000
    background = threading.Thread(target=topics.books, args=(TOPIC, MESSAGES, SEED + 1), kwargs={"rate": RATE})
    background.start()
    kill_pods(randomness)
    background.join()
    wait("all messages in the log", lambda: log()["messages"] == first + MESSAGES)
    for name, _, sizes in ours():
        say(f"memory of {name}: RSS {int(sizes['VmRSS']) >> 10} MiB, most {int(sizes['VmHWM']) >> 10} MiB")
    run_now("books-now-1")
    directory = os.path.join(TMP, "zones")
    try:
        check(directory, first + MESSAGES)
        more = 300
        topics.books(TOPIC, more, SEED + 2)
        wait("the second batch in the log", lambda: log()["messages"] == first + MESSAGES + more)
        plugin.begin()
        plugin.look(first + MESSAGES + more)
        plugin.run_now("rows read")
        expected = check(directory, first + MESSAGES + more)
        before = list(HDFS.files("/processed_zone/books"))
        plugin.run_now("nothing new in RAW")
        require(list(HDFS.files("/processed_zone/books")) == before,
                "a run without new records changed the Processed zone")
        say("a run without new records changed nothing")
        check_status(expected)
        plugin.suspend_and_resume()
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    for kind in ("streamingest", "hourlycompaction"):
        ready = condition(kind, "Ready")
        say(f"{kind} Ready={ready.get('status')} {ready.get('reason')}: {ready.get('message')}")
        if ready.get("status") != "True" or condition(kind, "Accepted").get("status") != "True":
            raise Failed(f"{kind} is not ready at the end")
    print(kubectl("get", "streamingests,hourlycompactions", "-n", NAMESPACE))


if __name__ == "__main__":
    main(work)
