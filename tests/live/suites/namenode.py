"""What a NameNode does to a writer: replies that are lost, failover, safe mode, and leases of the dead; see
suites/namenode."""

import os
import random
import subprocess
import time
import urllib.parse

import manifest
import oracle
import topics
from dropping_proxy import DroppingProxy
from suite import HDFS_URL, LIVE, SEED, chosen, main, require, run, say, size, wait
from worker import Worker, end_all, run_to_end
from zone_log import HDFS, Hdfs, Watch

ADDRESS = os.environ["GRISTMILL_LIVE_ADDRESS"]
PARTITIONS = 2


def lost_replies():
    """Schedule 1: the NameNode has renamed the entry, and the worker never hears of it."""
    wanted = size(30, 5)
    randomness = random.Random(SEED)

    def is_a_commit(frame):
        return b"rename2" in frame and b"/_log/" in frame and b".json" in frame and randomness.random() < 0.7

    namenode = urllib.parse.urlparse(HDFS_URL)
    proxy = DroppingProxy(namenode.hostname, namenode.port, is_a_commit)
    topic = topics.create("lost-replies", PARTITIONS)
    document = manifest.write(manifest.ingest(
        "lost-replies", topic, f"hdfs://127.0.0.1:{proxy.port}/raw_zone/lost-replies", max_age="1s"))
    feed = topics.Feed(topic, 1_000_000, SEED, 200)
    worker = Worker(document, "--attach")
    wait(f"{wanted} replies to the rename of an entry are lost",
         lambda: worker.is_well() and proxy.dropped >= wanted)
    finish(topic, feed, Watch("/raw_zone/lost-replies"), worker, f"{HDFS_URL}/raw_zone/lost-replies")


def finish(topic, feed, watch, worker, zone, **options):
    """Everything that was sent by now is committed, the worker leaves in order, and the oracle agrees."""
    feed.end()
    messages, ends = oracle.read_topic(topic)
    wait("everything is committed", lambda: worker.is_well() and watch.next_offsets() == ends)
    worker.drain()
    oracle.check_ingest(zone, topic, oracle.Expected(messages), **options)


class HighAvailability:
    """hdfs://mill: two NameNodes over one folder of shared edits."""

    def __init__(self):
        self.call("up")
        self.hdfs = Hdfs(*(f"http://{ADDRESS}:{port}/webhdfs/v1" for port in (9971, 9972)),
                         script="hdfs_ha.sh")
        self.environment = {"HADOOP_CONF_DIR": self.call("conf").strip(), "HADOOP_USER_NAME": "etl"}
        self.active, self.standby = "nn1", "nn2"

    def call(self, *arguments):
        return run(os.path.join(LIVE, "hdfs_ha.sh"), *arguments)

    def swap(self):
        self.active, self.standby = self.standby, self.active

    def in_order(self):
        self.call("failover", self.active, self.standby)
        self.swap()

    def after_a_kill(self):
        self.call("kill", self.active)
        self.call("haadmin", "-transitionToActive", "--forceactive", self.standby)
        self.swap()
        self.call("up")

    def through_two_standbys(self):
        """Nobody is active for a while: the worker is told Standby by both."""
        self.call("haadmin", "-transitionToStandby", self.active)
        return lambda: self.call("haadmin", "-transitionToActive", self.active)

    def in_safe_mode(self):
        self.call("dfsadmin", "-safemode", "enter")
        return lambda: self.call("dfsadmin", "-safemode", "leave")


def failover():
    """Schedule 16: NameNode failover during commits, nobody active, safe mode."""
    cluster = HighAvailability()
    topic = topics.create("failover", PARTITIONS)
    zone = "hdfs://mill/raw_zone/failover"
    document = manifest.ingest("failover", topic, zone, max_age="1s")
    del document["spec"]["hadoop"]
    feed = topics.Feed(topic, 1_000_000, SEED, 200)
    worker = Worker(manifest.write(document), "--attach", environment=cluster.environment)
    watch = Watch("/raw_zone/failover", cluster.hdfs)
    go_on(worker, watch, "the first entries")
    for _ in range(size(5, 1)):
        for act in (cluster.in_order, cluster.after_a_kill, cluster.through_two_standbys, cluster.in_safe_mode):
            name = act.__name__.replace("_", " ")
            back = act()
            if back:
                wait(f"{name}: the worker says that the store is away",
                     lambda: worker.status().get("phase") == "StoreUnavailable")
                say(f"it says: {worker.status()['message']}")
                back()
            go_on(worker, watch, f"{name}: three more entries")
    os.environ.update(cluster.environment)
    finish(topic, feed, watch, worker, zone, hdfs=cluster.hdfs)


def go_on(worker, watch, what):
    head = watch.head
    wait(what, lambda: worker.is_well() and watch.head >= head + 3)


def dead_writer():
    """Schedule 17: a writer is killed in the middle of a file. It is swept although its lease is held, and no file
    under construction is ever published."""
    topic = topics.create("dead-writer", PARTITIONS)
    zone_path = "/raw_zone/dead-writer"
    zone = HDFS_URL + zone_path
    topics.books(topic, 1_000, SEED)
    document = manifest.write(manifest.ingest("dead-writer", topic, zone))
    run_to_end(document, "--attach")
    watch = Watch(zone_path)
    # Little memory and much time: row groups go out, and the file stays open.
    patient = manifest.write(manifest.ingest("dead-writer", topic, zone, max_age="1h"), file="patient.yaml")
    topics.books(topic, size(60_000, 20_000), SEED + 1)
    victim = Worker(patient, "--attach", memory_mib=128)
    staged = wait("a staged file is being written", lambda: open_files(f"{zone_path}/_staging"))
    victim.kill()
    require(open_files(f"{zone_path}/_staging") == staged, "the lease ended with its writer")
    incarnation = staged[0].split("/")[4]
    say(f"killed in the middle of {staged[0]}")
    # An hour of silence, as the sweeper measures it.
    for path in (f"{zone_path}/_staging/{incarnation}", *HDFS.files(f"{zone_path}/_staging/{incarnation}")):
        HDFS.ask(path, "SETTIMES", "PUT", modificationtime=int((time.time() - 7_200) * 1000), **{"user.name": superuser()})
    run_to_end(document, "--attach")
    names = [entry["pathSuffix"] for entry in HDFS.list(f"{zone_path}/_staging")]
    require(incarnation not in names, f"{incarnation} was not swept")
    wait("the log fences it", lambda: any(is_fence(body, incarnation) for body in watch.bodies))
    published = [path for path in HDFS.files(zone_path) if path.startswith(f"{zone_path}/ingest_date=")]
    require(not any(map(HDFS.is_under_construction, published)), "a file under construction is published")
    oracle.check_ingest(zone, topic, oracle.Expected(oracle.read_topic(topic)[0]))


def open_files(path):
    return [file for file in HDFS.files(path) if HDFS.is_under_construction(file)]


def is_fence(body, incarnation):
    return body["kind"] == "Fence" and body["fenced"] == incarnation


def superuser():
    return subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip()


def work():
    for part in chosen(lost_replies, dead_writer, failover):
        part()


if __name__ == "__main__":
    try:
        main(work)
    finally:
        end_all()
        run(os.path.join(LIVE, "hdfs_ha.sh"), "down")
