"""Schedule 30: a replica that lacks messages becomes the leader, and new ones take their offsets; see suites/election."""

import os
import random

import manifest
import oracle
import topics
from suite import LIVE, SEED, TMP, main, require, run, say, wait
from worker import end_all, run_to_end

FIRST, LEADER, FOLLOWER = 1, 2, 3
REPLICATED, UNREPLICATED = 300, 200
READ = REPLICATED + UNREPLICATED


class Topic:
    """A topic of one partition on the two brokers, its zone, and what was read of it before the election."""

    def __init__(self, name, after):
        self.name, self.after = name, after
        self.zone = f"file://{os.path.join(TMP, name)}/books"
        self.random = random.Random(f"{SEED} {name}")
        topics.create(name, 1, replicas=[[LEADER, FOLLOWER]], unclean_leader_election_enable="true",
                      min_insync_replicas=1)
        self.read = None

    def send(self, count):
        topics.send(self.name, [(0, *topics.library(self.random)) for _ in range(count)])

    def partition(self):
        return topics.admin().list_topics(self.name, timeout=30).topics[self.name].partitions[0]

    def run(self, expect=0, loss="Fail", **blocks):
        document = manifest.ingest(self.name, self.name, self.zone, kafka={"onDataLoss": loss}, **blocks)
        return run_to_end(manifest.write(document), expect=expect)

    def check(self):
        """What was read stays in generation 0; generation 1 is the topic as it is now, from where it was cut."""
        now, _ = oracle.read_topic(self.name)
        expected = {0: oracle.Expected(self.read),
                    1: oracle.Expected({place: each for place, each in now.items() if place[1] >= REPLICATED})}
        oracle.check_ingest(self.zone, self.name, expected)


def broker(act, node):
    run(os.path.join(LIVE, "kafka.sh"), act, str(node))


def elect(all_topics):
    """The follower misses what only the leader has taken, and leads after it."""
    for topic in all_topics:
        topic.send(REPLICATED)
        wait(f"{topic.name}: both replicas are in sync", lambda: len(topic.partition().isrs) == 2)
    broker("kill", FOLLOWER)
    for topic in all_topics:
        wait(f"{topic.name}: the leader is alone", lambda: topic.partition().isrs == [LEADER])
        topic.send(UNREPLICATED)
        topic.run()
        topic.read, _ = oracle.read_topic(topic.name)
        require(len(topic.read) == READ, f"{len(topic.read)} messages were read of {READ}")
    broker("kill", LEADER)
    broker("up", FOLLOWER)
    for topic in all_topics:
        wait(f"{topic.name}: the replica that lacks messages leads", lambda: topic.partition().leader == FOLLOWER)
        topic.send(topic.after)
        now, ends = oracle.read_topic(topic.name)
        require(ends[0] == REPLICATED + topic.after and now[0, REPLICATED] != topic.read[0, REPLICATED],
                f"the new leader is not without the messages: it ends at {ends}")


def refused(topic):
    failed = topic.run(expect=7)
    say(f"it says: {failed.last_word()}")
    require(topic.name in failed.last_word(), "the topic is not named")


def work():
    # The group's own topic shall lie on the broker that stays.
    topics.create("election-before", 1)
    # Without a message nobody would join a group, and the topic would come to be on whatever broker there is later.
    topics.send("election-before", [(0, *topics.library(random.Random(SEED)))])
    run_to_end(manifest.write(manifest.ingest("before", "election-before", f"file://{TMP}/before/books")))
    for node in (LEADER, FOLLOWER):
        broker("up", node)
    wait("all brokers are in the cluster", lambda: {LEADER, FOLLOWER} <= set(topics.admin().list_topics().brokers))
    # One ends behind what was read, so that only the leader's epoch tells; the other ends before it.
    diverged, truncated = Topic("diverged", after=500), Topic("truncated", after=50)
    elect([diverged, truncated])
    refused(diverged)
    diverged.run(rewind={"nonce": "after the election", "position": "Offsets",
                         "offsets": [{"partition": 0, "offset": REPLICATED}]})
    diverged.check()
    refused(truncated)
    truncated.run(loss="RecordGap")
    report_truncated(truncated)


def report_truncated(topic):
    """It is read anew in generation 1: nothing of what the partition holds now is missing, and nothing is there twice."""
    topic.send(topic.after)
    topic.run(loss="RecordGap")
    later, _ = oracle.read_topic(topic.name)
    columns = ("generation", "kafka_offset", "record_index", "record_id")
    rows = [tuple(row[column] for column in columns) for row in oracle.plain_rows(topic.zone)]
    read = {(0, offset, index, row[0]) for (_, offset, index), row in oracle.Expected(topic.read).rows.items()}
    new = {(1, offset, index, row[0]) for (_, offset, index), row in oracle.Expected(later).rows.items()}
    require(len(rows) == len(set(rows)), "rows twice")
    require(set(rows) >= read | new, f"{len((read | new) - set(rows))} rows are missing")
    say(f"{topic.name}: {len(read)} rows from before, {len(new)} from after, none twice, none missing")


if __name__ == "__main__":
    try:
        main(work)
    finally:
        end_all()
        for node in (LEADER, FOLLOWER):
            broker("down", node)
        # Until the cluster has noticed, it names them as its controller to whoever comes next.
        wait("the first broker is alone", lambda: set(topics.admin().list_topics(timeout=30).brokers) == {FIRST})
