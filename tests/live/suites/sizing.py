"""Sizing on a real cluster: what is decided, when, and whether it was enough; see suites/sizing.

CPU of pods is what the cluster says that they were given; the kernel counts what they used, here on this machine.
"""

import collections
import json
import os
import re
import threading
import time

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
from confluent_kafka import Consumer, TopicPartition

import manifest
import oracle
import quickstart
import topics
from arrival import Arrival
from failures import apply, patch, pods, ready_pods
from quickstart import get, kubectl, processes_of
from rules import Rules
from suite import BOOTSTRAP, BOOTSTRAP_PODS, ROOT, SHORT, Failed, main, require, say, size
from suite import wait as wait_for
from zone_log import HDFS

TOPIC = NAME = "sizing"
NAMESPACE = quickstart.NAMESPACE
RAW = f"{os.environ['HDFS_URL']}/raw_zone/{NAME}"
LABEL = f"gristmill.dev/stream-ingest={NAME}"
PARTITIONS = 8
# Messages a second. One worker keeps up with it, by no more than twice the CPU that it starts with: by more its pod would be
# replaced in the end, since new ones would begin with too little. Four times as much takes more workers. A message takes 3 to
# 7 us of CPU, as the machine has it.
RATE = size(5_000, 3_500)
TIMES = 4
# Seconds for which the stream waits while messages arrive.
BACKLOG = 300
CATCH_UP = 120
SCALING = {"mode": "Auto", "minReplicas": 1, "maxReplicas": PARTITIONS, "maxCpuPerWorker": "50m", "catchUpDuration": f"{CATCH_UP}s",
           "stabilizationInterval": "20s", "scaleDownInterval": "60s"}
# Seconds: commits are dear beside so few messages. Several come while a cost is measured.
MAX_AGE = size(30, 10)
# Seconds over which the cost of a message is measured.
MEASURED = size(120, 30)


def wait(what, condition):
    """A size is taken back after minutes only, step by step."""
    return wait_for(what, condition, limit=900, pause=1)


def document():
    return manifest.ingest(NAME, TOPIC, f"{os.environ['HDFS_URL_PODS']}/raw_zone/{NAME}", bootstrap=BOOTSTRAP_PODS,
                           max_age=f"{MAX_AGE}s", scaling=SCALING, pod={"cpu": "25m"})


def status():
    return get("streamingest", NAME).get("status", {})


def committed():
    return quickstart.log(RAW)["messages"]


def waiting():
    return sum(topics.ends(TOPIC).values()) - committed()


class Sizes:
    """Every size that was decided, and every container that was seen, by a look each 3 s beside the suite."""

    def __init__(self):
        self.begin, self.decided, self.containers = time.monotonic(), [], {}
        self.failure, self.is_over = None, threading.Event()
        self.thread = threading.Thread(target=self.watch)
        self.thread.start()

    def watch(self):
        try:
            while not self.is_over.wait(3):
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


def is_decided_by_figures():
    return " ms a record" in status().get("sizing", {}).get("explanation", "")


def predicted_cost():
    """Seconds of CPU that a message costs by what workers tell now, as `kubectl gristmill explain-sizing` has it from the operator's
    own function. The status keeps the words of its last decision."""
    explained = kubectl("gristmill", "explain-sizing", NAME, "-n", NAMESPACE)
    found = re.search(r"([0-9.]+) ms of CPU a record", explained)
    require(found, f"there is no cost of a record in what explain-sizing says:\n{explained}")
    return float(found.group(1)) / 1000


def grown(arrival, sizes):
    """Four times as much arrives: the size that is needed, in at most two changes."""
    begin, arrival.rate = time.monotonic(), TIMES * RATE
    wait(f"{TIMES} times the arrival: more workers", lambda: workers(max(2, status()["sizing"]["desiredReplicas"])))
    wait("they keep up", lambda: waiting() < TIMES * RATE * 2 * MAX_AGE)
    measured = cost(f"at {TIMES} x {RATE}/s")
    changes = sizes.since(begin)
    say(f"{len(changes)} changes: {changes}")
    require(len(changes) <= 2, f"more than 2 changes for one step of the arrival: {changes}")
    return measured


def backlog():
    """Nothing is read for a while; then it is worked off beside what arrives."""
    patch({"spec": {"suspend": True}}, name=NAME)
    wait("no worker", lambda: not pods(label=LABEL))
    wait(f"{BACKLOG} s of messages wait", lambda: waiting() >= RATE * BACKLOG)
    say(f"{waiting()} messages wait")
    patch({"spec": {"suspend": False}}, name=NAME)
    begin = time.monotonic()
    wait("the backlog is worked off", lambda: waiting() < RATE * (MAX_AGE + 15))
    say(f"caught up after {time.monotonic() - begin:.0f} s, start of the worker included; catchUpDuration {CATCH_UP} s")


def in_place(sizes):
    """CPU was changed in place: no container has restarted or was replaced by another one of its pod."""
    for name, seen in sorted(sizes.containers.items()):
        say(f"{name}: {seen['restarts']} restarts, CPU {' -> '.join(seen['cpu'])}")
        require(seen["restarts"] == 0 and len(seen["ids"]) <= 1, f"a container of {name} was started more than once")
    require(any(len(seen["cpu"]) > 1 for seen in sizes.containers.values()), "no pod was given another CPU in place")


def told(sizes):
    """Each change of the decided size has left an event of its own, which names the size before and after."""
    events = json.loads(kubectl("get", "events", "-n", NAMESPACE, "--field-selector",
                                f"involvedObject.name={NAME},reason=Resized", "-o", "json"))["items"]
    notes = [event.get("message") or event.get("note", "") for event in events]
    decided = [size for _, size, _ in sizes.decided]
    changes = [f"from {before[0]} x {before[1]} to {after[0]} x {after[1]}: " for before, after in zip(decided, decided[1:])]
    missing = [change for change in changes if not any(note.startswith(change) for note in notes)]
    require(changes and not missing, f"no event tells {missing} of {changes}; there are {notes}")
    say(f"{len(changes)} changes of the size, each with its event")


def places():
    """(partition, offset, number of the message) of all that the topic holds, as columns."""
    ends = topics.ends(TOPIC)
    consumer = Consumer({"bootstrap.servers": BOOTSTRAP, "group.id": "oracle", "enable.auto.commit": False,
                         "auto.offset.reset": "error", "fetch.max.bytes": 64 << 20})
    consumer.assign([TopicPartition(TOPIC, partition, 0) for partition, end in ends.items() if end])
    found, left = ([], [], []), sum(ends.values())
    while left:
        batch = consumer.consume(50_000, 60)
        require(batch, f"{left} messages of {TOPIC} can't be read")
        for message in batch:
            require(not message.error(), f"reading {TOPIC}: {message.error()}")
            for column, value in zip(found, (message.partition(), message.offset(), int(message.key()))):
                column.append(value)
        left -= len(batch)
    consumer.close()
    return pa.table({"kafka_partition": pa.array(found[0], pa.int32()), "kafka_offset": pa.array(found[1], pa.int64()),
                     "number": pa.array(found[2], pa.int32())})


def rows(messages, schema):
    """What each message holds by the oracle's rules, in the types of RAW."""
    rules = Rules(manifest.RECORD)
    columns = collections.defaultdict(list)
    for number, value in enumerate(messages):
        accepted, rejected = rules.read(value)
        require(not rejected, f"message {number} would be rejected: {rejected}")
        for index, row in accepted.items():
            for name, field in zip(("number", "record_index", *rules.names), (number, index, *row)):
                columns[name].append(field)
    fields = [pa.field("number", pa.int32()), *(schema.field(name) for name in ("record_index", *rules.names))]
    return pa.table({field.name: pa.array(columns[field.name], field.type) for field in fields}), rules.names


def check(messages):
    """RAW holds each row of each message once, and no other; millions of them, so the comparison is DuckDB's."""
    with oracle.fetched(RAW, HDFS) as directory:
        files = oracle.parquet_files(directory, "ingest_date=*/**/*.parquet")
        require(not oracle.parquet_files(f"{directory}_rejected", "**/*.parquet"), "messages were rejected")
        topic = places()
        of_message, names = rows(messages, pq.read_schema(files[0]))
        columns = ", ".join(["kafka_partition", "kafka_offset", "record_index", *names])
        database = duckdb.connect()
        database.execute("SET preserve_insertion_order = false")
        for name, table in (("topic", topic), ("of_message", of_message)):
            database.register(name, table)
        database.execute(f"CREATE VIEW expected AS SELECT {columns} FROM topic JOIN of_message USING (number)")
        database.execute(f"CREATE VIEW found AS SELECT {columns} FROM read_parquet($files, hive_partitioning = false)".replace(
            "$files", repr(files)))
        count = {name: database.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in ("expected", "found")}
        differences = {}
        for one, other in (("expected", "found"), ("found", "expected")):
            differences[one] = database.execute(f"SELECT * FROM (FROM {one} EXCEPT ALL FROM {other}) LIMIT 5").fetchall()
        require(not any(differences.values()), f"RAW holds other rows than the topic: {count}, only in one: {differences}")
        say(f"oracle: {topic.num_rows} messages, {count['found']} rows in {len(files)} files, missing 0, twice 0, wrong 0")


def start_anew():
    kubectl("delete", "streamingest", NAME, "-n", NAMESPACE, "--ignore-not-found")
    wait("no pod of it", lambda: not pods(label=LABEL))
    for path in (f"/raw_zone/{NAME}", f"/raw_zone/{NAME}_rejected"):
        if HDFS.list(path):
            HDFS.fs("-rm", "-r", path)
    topics.create(TOPIC, PARTITIONS)


@quickstart.explained()
def work():
    quickstart.install()
    kubectl("apply", "-f", f"{ROOT}/manifests/quickstart/00-namespace.yaml")
    start_anew()
    apply(document())
    # Batches grow with the rate. With zstd each costs librdkafka decompression contexts, which ask the processor for its
    # features; where a hypervisor answers, the cost of a message would fall as batches grow (docs/profile.md).
    sizes, arrival = Sizes(), Arrival(TOPIC, RATE, PARTITIONS, compression_type="lz4")
    try:
        wait("the first size is decided by figures", is_decided_by_figures)
        (grown if SHORT else whole)(arrival, sizes)
    finally:
        sizes.end()
        arrival.end()
    count = sum(topics.ends(TOPIC).values())
    wait("all messages are committed", lambda: committed() == count)
    in_place(sizes)
    told(sizes)
    check(arrival.messages)
    print(kubectl("get", "events", "-n", NAMESPACE, "--field-selector", f"involvedObject.name={NAME},reason=Resized",
                  "--sort-by=.lastTimestamp"))
    kubectl("delete", "streamingest", NAME, "-n", NAMESPACE)


def whole(arrival, sizes):
    """Each step when what came of the one before is seen, with the cost of a message at both arrivals."""
    # Figures are of the last minute, and the first one holds what the start has cost.
    time.sleep(120)
    wait("one worker", lambda: workers(1))
    low = cost(f"at {RATE}/s")
    predicted = predicted_cost()
    high = grown(arrival, sizes)
    error = 100 * (predicted - high) / high
    say(f"cost of a message: predicted {1000 * predicted:.4f} ms at {RATE}/s, measured {1000 * low:.4f} ms; "
        f"measured {1000 * high:.4f} ms at {TIMES} x {RATE}/s: the prediction is off by {error:+.0f} %")
    arrival.rate = RATE
    wait("back to the arrival of before: one worker", lambda: workers(1))
    backlog()


if __name__ == "__main__":
    main(work)
