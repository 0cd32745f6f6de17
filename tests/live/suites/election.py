"""Schedule 30: a replica that lacks messages becomes the leader, and new ones take their offsets; see suites/election."""

import os
import random

import manifest
import oracle
import topics
from suite import LIVE, SEED, TMP, main, require, run, say, wait
from worker import end_all, run_to_end

LEADER, FOLLOWER = 2, 3
REPLICATED, UNREPLICATED, NEW = 300, 200, 500
TOPIC = "election"
ZONE = f"file://{os.path.join(TMP, 'zone')}/books"


def broker(act, node):
    run(os.path.join(LIVE, "kafka.sh"), act, str(node))


def partition():
    return topics.admin().list_topics(TOPIC, timeout=30).topics[TOPIC].partitions[0]


def send(count, randomness):
    topics.send(TOPIC, [(0, *topics.library(randomness)) for _ in range(count)])


def work():
    randomness = random.Random(SEED)
    # The group's own topic shall lie on the broker that stays.
    topics.create("election-before", 1)
    run_to_end(manifest.write(manifest.ingest("before", "election-before", f"file://{TMP}/before/books")))
    for node in (LEADER, FOLLOWER):
        broker("up", node)
    wait("all brokers are in the cluster", lambda: {LEADER, FOLLOWER} <= set(topics.admin().list_topics().brokers))
    topics.create(TOPIC, 1, replicas=[[LEADER, FOLLOWER]], unclean_leader_election_enable="true", min_insync_replicas=1)
    send(REPLICATED, randomness)
    wait("both replicas are in sync", lambda: len(partition().isrs) == 2)
    broker("kill", FOLLOWER)
    wait("the leader is alone", lambda: partition().isrs == [LEADER])
    send(UNREPLICATED, randomness)
    document = manifest.ingest("election", TOPIC, ZONE)
    run_to_end(manifest.write(document))
    read, _ = oracle.read_topic(TOPIC)
    broker("kill", LEADER)
    broker("up", FOLLOWER)
    wait("the replica that lacks messages leads", lambda: partition().leader == FOLLOWER)
    send(NEW, randomness)
    now, ends = oracle.read_topic(TOPIC)
    standing = REPLICATED + UNREPLICATED
    require(ends[0] == REPLICATED + NEW > standing, f"the topic ends at {ends}")
    require(now[0, REPLICATED] != read[0, REPLICATED], "the leader has what it should lack")
    failed = run_to_end(manifest.write(document), expect=7)
    say(f"it says: {failed.last_word()}")
    require(TOPIC in failed.last_words(), "the loss is not named")
    oracle.check_ingest(ZONE, TOPIC, oracle.Expected(read))
    document["spec"]["source"]["kafka"]["onDataLoss"] = "RecordGap"
    run_to_end(manifest.write(document))
    report(read, now, standing)


def report(read, now, standing):
    """What was read stays; behind it every new message is there once, and nothing is read twice under one offset."""
    told = oracle.gristmill_json("inspect", ZONE)
    say(f"after RecordGap: {told}")
    rows = [(row["kafka_offset"], row["record_index"], row["record_id"]) for row in oracle.plain_rows(ZONE)]
    old = {(offset, index, row[0]) for (_, offset, index), row in oracle.Expected(read).rows.items()}
    new = {(offset, index, row[0]) for (_, offset, index), row in oracle.Expected(now).rows.items() if offset >= standing}
    require(len(rows) == len(set(rows)), "rows twice")
    require(set(rows) >= old | new, f"{len((old | new) - set(rows))} rows are missing")


if __name__ == "__main__":
    try:
        main(work)
    finally:
        end_all()
        for node in (LEADER, FOLLOWER):
            broker("down", node)
