"""Kafka, DataNode and NameNode each stopped and started again under running workers; see suites/outage."""

import subprocess

import manifest
import oracle
import topics
from suite import HDFS_URL, LIVE, SEED, Failed, main, require, say, size, wait
from worker import Worker, check_memory, end_all
from zone_log import Watch

TOPIC = "outage"
PARTITIONS = 4
ZONE = f"{HDFS_URL}/raw_zone/outage"
ROUNDS = size(3, 1)
# What is away, how it goes, and what the workers call it.
OUTAGES = [("hdfs.sh", "stop", "namenode", "StoreUnavailable"), ("hdfs.sh", "kill", "datanode", "StoreUnavailable"),
           ("kafka.sh", "stop", "", "SourceUnavailable"), ("hdfs.sh", "kill", "namenode", "StoreUnavailable"),
           ("kafka.sh", "kill", "", "SourceUnavailable")]
RATE = size(600, 200)
# Enough for what one outage takes; the feed is ended when the outages are over.
MESSAGES = size(300_000, 30_000)


def server(script, *arguments):
    done = subprocess.run([f"{LIVE}/{script}", *filter(None, arguments)], capture_output=True, text=True)
    require(done.returncode == 0, f"{script} {' '.join(arguments)}: {done.stdout}{done.stderr}")


def outage(workers, watch, feed, script, way, part, phase):
    """Away until each worker says so; back, and every partition moves on."""
    what = f"{script.removesuffix('.sh')} {part}".strip()
    say(f"{what}: {way}")
    server(script, way, part)
    for worker in workers:
        wait(f"{worker.name} says {phase} with {what} away", lambda: is_in(worker, phase))
    say(f"it says: {workers[0].status()['message']}")
    head = watch.head
    server(script, "up")
    for worker in workers:
        wait(f"{worker.name} ingests again", lambda: is_in(worker, "Ingesting"))
    wait("every partition is committed again", lambda: feed.go_on() or len(watch.moved_after(head)) == PARTITIONS)


def is_in(worker, phase):
    return worker.is_well() and worker.status().get("phase") == phase


def work(workers):
    topics.create(TOPIC, PARTITIONS)
    document = manifest.write(manifest.ingest("outage", TOPIC, ZONE))
    watch = Watch("/raw_zone/outage")
    workers += [Worker(document, "--attach"), Worker(document, "--attach")]
    feed = topics.Feed(TOPIC, MESSAGES, SEED, RATE)
    wait("the first commits of every partition", lambda: len(watch.moved_after(0)) == PARTITIONS)
    for _ in range(ROUNDS):
        for each in OUTAGES[:size(5, 3)]:
            outage(workers, watch, feed, *each)
    feed.end()
    messages, ends = oracle.read_topic(TOPIC)
    wait("everything is committed", lambda: watch.next_offsets() == ends)
    for worker in workers:
        worker.drain()
    oracle.check_ingest(ZONE, TOPIC, oracle.Expected(messages))
    check_memory()


def work_or_tell():
    workers = []
    try:
        work(workers)
    except Failed:
        for worker in workers:
            say(f"{worker.name} says {worker.status() or 'nothing'}")
        raise


if __name__ == "__main__":
    try:
        main(work_or_tell)
    finally:
        end_all()
