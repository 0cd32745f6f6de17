"""Sizing on a real cluster: what is decided, when, and whether it was enough; see suites/sizing.

CPU of pods is what the cluster says that they were given; the kernel counts what they used, here on this machine.
"""

import json
import os
import re
import threading
import time

import manifest
import oracle
import quickstart
import topics
from failures import apply, patch, pods, processes_of, ready_pods
from quickstart import get, kubectl, wait
from suite import BOOTSTRAP_PODS, ROOT, SEED, Failed, gristmill_json, main, require, say, size
from zone_log import HDFS

TOPIC = NAME = "sizing"
NAMESPACE = quickstart.NAMESPACE
RAW = f"{os.environ['HDFS_URL']}/raw_zone/{NAME}"
LABEL = f"gristmill.dev/stream-ingest={NAME}"
PARTITIONS = 4
# One worker keeps up with it, by more CPU than it starts with; four times as much takes more workers. A worker takes some
# 20 thousandths of a core whatever it reads, so much less would say more about that than about messages.
RATE = 600
TIMES = 4
# More than are sent: the feed ends with the suite.
COUNT = 1_000_000
# Seconds for which the stream waits while messages arrive.
BACKLOG = size(300, 90)
CATCH_UP = 120
SCALING = {"mode": "Auto", "minReplicas": 1, "maxReplicas": PARTITIONS, "maxCpuPerWorker": "100m", "catchUpDuration": f"{CATCH_UP}s",
           "stabilizationInterval": "20s", "scaleDownInterval": "60s"}
# Seconds: commits are dear beside so few messages.
MAX_AGE = 30
# Seconds over which the cost of a record is measured.
MEASURED = size(120, 60)


def document():
    return manifest.ingest(NAME, TOPIC, f"{os.environ['HDFS_URL_PODS']}/raw_zone/{NAME}", bootstrap=BOOTSTRAP_PODS,
                           max_age=f"{MAX_AGE}s", scaling=SCALING, pod={"cpu": "50m"})


def status():
    return get("streamingest", NAME).get("status", {})


def committed():
    """Messages in the log; none before there is one."""
    try:
        return gristmill_json("inspect", RAW, "--user", "etl")["messages"]
    except Failed as failed:
        if "is not a zone" in str(failed):
            return 0
        raise


def waiting():
    return sum(topics.ends(TOPIC).values()) - committed()


class Sizes:
    """Every size that was decided, and every container that was seen, by a look a second beside the suite."""

    def __init__(self):
        self.begin, self.decided, self.containers = time.monotonic(), [], {}
        self.failure, self.is_over = None, threading.Event()
        self.thread = threading.Thread(target=self.watch)
        self.thread.start()

    def watch(self):
        try:
            while not self.is_over.wait(1):
                self.look()
        except Failed as failed:
            self.failure = failed

    def look(self):
        sizing = status().get("sizing")
        if sizing:
            last = (sizing["desiredReplicas"], sizing["cpuPerWorker"])
            if not self.decided or self.decided[-1][1] != last:
                self.decided.append((time.monotonic(), last, sizing["explanation"]))
                say(f"decided: {last[0]} x {last[1]}: {sizing['explanation']}")
        for pod in pods(label=LABEL):
            for container in pod["status"].get("containerStatuses", []):
                seen = self.containers.setdefault(pod["metadata"]["name"], {"restarts": 0, "cpu": [], "ids": set()})
                seen["restarts"] = max(seen["restarts"], container["restartCount"])
                if "containerID" in container:
                    seen["ids"].add(container["containerID"])
                cpu = container.get("resources", {}).get("requests", {}).get("cpu")
                if cpu and seen["cpu"][-1:] != [cpu]:
                    seen["cpu"].append(cpu)

    def since(self, begin):
        """Sizes that were decided after this time."""
        return [decided for at, decided, _ in self.decided if at >= begin]

    def end(self):
        self.is_over.set()
        self.thread.join()
        if self.failure:
            raise self.failure


def workers(wanted):
    """So many workers are ready, and no other is there."""
    found = ready_pods(label=LABEL)
    return found if len(found) == wanted and len(pods(label=LABEL)) == wanted else None


def cpu_seconds(found):
    """CPU that the processes of these pods have used so far."""
    ticks = 0
    for process in processes_of({pod["metadata"]["uid"] for pod in found}):
        with open(f"/proc/{process}/stat", encoding="ascii") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def cost(what):
    """CPU seconds of a message, by what the kernel and the log count."""
    found = ready_pods(label=LABEL)
    before = cpu_seconds(found), committed()
    time.sleep(MEASURED)
    require({pod["metadata"]["name"] for pod in found} == {pod["metadata"]["name"] for pod in ready_pods(label=LABEL)},
            "workers were replaced while their cost was measured")
    seconds, messages = cpu_seconds(found) - before[0], committed() - before[1]
    require(messages > 0, "no message was committed while their cost was measured")
    say(f"{what}: {seconds:.1f} CPU s for {messages} messages of {len(found)} workers in {MEASURED} s, {1000 * seconds / messages:.3f} ms each")
    return seconds / messages


def told_cost():
    """What the operator says that a message costs, in seconds of CPU."""
    explanation = status().get("sizing", {}).get("explanation", "")
    found = re.search(r"([0-9.]+) ms a record", explanation)
    return float(found.group(1)) / 1000 if found else None


def grown(sizes):
    """Four times as much arrives: the size that is needed, in at most two changes."""
    feeds = [topics.Feed(TOPIC, COUNT, SEED + number, RATE) for number in range(1, TIMES)]
    begin = time.monotonic()
    try:
        wait(f"{TIMES} times the arrival: more workers", lambda: workers(max(2, status()["sizing"]["desiredReplicas"])))
        wait("they keep up", lambda: waiting() < TIMES * RATE * 2 * MAX_AGE)
        measured = cost(f"at {TIMES} x {RATE}/s")
        changes = sizes.since(begin)
        say(f"{len(changes)} changes: {changes}")
        require(len(changes) <= 2, f"more than 2 changes for one step of the arrival: {changes}")
        return measured
    finally:
        for feed in feeds:
            feed.end()


def backlog(feed):
    """Nothing is read for a while; then it is worked off beside what arrives."""
    patch({"spec": {"suspend": True}}, name=NAME)
    wait("no worker", lambda: not pods(label=LABEL))
    before = sum(topics.ends(TOPIC).values())
    wait(f"{BACKLOG} s of messages wait", lambda: feed.go_on() or waiting() >= RATE * BACKLOG)
    say(f"{waiting()} messages wait, {sum(topics.ends(TOPIC).values()) - before} of them new")
    patch({"spec": {"suspend": False}}, name=NAME)
    begin = time.monotonic()
    wait("the backlog is worked off", lambda: feed.go_on() or waiting() < RATE * (MAX_AGE + 15))
    say(f"caught up after {time.monotonic() - begin:.0f} s, start of the worker included; catchUpDuration {CATCH_UP} s")


def in_place(sizes):
    """CPU was changed in place: no container has restarted or was replaced by another one of its pod."""
    for name, seen in sorted(sizes.containers.items()):
        say(f"{name}: {seen['restarts']} restarts, CPU {' -> '.join(seen['cpu'])}")
        require(seen["restarts"] == 0 and len(seen["ids"]) <= 1, f"a container of {name} was started more than once")
    require(any(len(seen["cpu"]) > 1 for seen in sizes.containers.values()), "no pod was given another CPU in place")


def start_anew():
    kubectl("delete", "streamingest", NAME, "-n", NAMESPACE, "--ignore-not-found")
    wait("no pod of it", lambda: not pods(label=LABEL))
    for path in (f"/raw_zone/{NAME}", f"/raw_zone/{NAME}_rejected"):
        if HDFS.list(path):
            HDFS.fs("-rm", "-r", path)
    topics.create(TOPIC, PARTITIONS)


def steps():
    quickstart.install()
    kubectl("apply", "-f", f"{ROOT}/manifests/quickstart/00-namespace.yaml")
    start_anew()
    apply(document())
    sizes, feed = Sizes(), topics.Feed(TOPIC, COUNT, SEED, RATE)
    try:
        wait("the first size is decided by figures", told_cost)
        wait("CPU in place", lambda: any(len(seen["cpu"]) > 1 for seen in list(sizes.containers.values())))
        wait("one worker", lambda: workers(1))
        low = cost(f"at {RATE}/s")
        predicted = told_cost()
        high = grown(sizes)
        error = 100 * abs(predicted - high) / high
        say(f"cost of a message: told {1000 * predicted:.3f} ms at {RATE}/s, measured {1000 * low:.3f} ms; "
            f"measured {1000 * high:.3f} ms at {TIMES} x {RATE}/s: the prediction is off by {error:.0f} %")
        wait("back to the arrival of before: one worker", lambda: feed.go_on() or workers(1))
        backlog(feed)
    finally:
        feed.end()
        sizes.end()
    count = sum(topics.ends(TOPIC).values())
    wait("all messages are committed", lambda: committed() == count)
    in_place(sizes)
    messages, _ = oracle.read_topic(TOPIC)
    oracle.check_ingest(RAW, TOPIC, oracle.Expected(messages))
    print(kubectl("get", "events", "-n", NAMESPACE, "--field-selector", f"involvedObject.name={NAME},reason=Resized",
                  "--sort-by=.lastTimestamp"))
    kubectl("delete", "streamingest", NAME, "-n", NAMESPACE)


def work():
    try:
        steps()
    except Failed:
        quickstart.explain()
        raise


if __name__ == "__main__":
    main(work)
