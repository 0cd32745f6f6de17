"""Three workers of one group on real Kafka and HDFS, joining and leaving, killed and stopped; see suites/ingest."""

import random
import statistics
import time

import manifest
import oracle
import topics
from suite import HDFS_URL, SEED, main, require, say, size, wait
from worker import Worker, check_memory, end_all
from zone_log import Watch

TOPIC = "ingest"
PARTITIONS = 8
WORKERS = 3
MESSAGES = size(300_000, 30_000)
KILLS = size(20, 3)
STOPS = size(3, 1)
# The messages flow for as long as the kills take: of each, the group's session is 15 s.
RATE = MESSAGES // (KILLS * 22 + STOPS * 30)
ZONE = f"{HDFS_URL}/raw_zone/ingest"


class Kill:
    """A worker's end, and when its partitions went on."""

    def __init__(self, watch, worker):
        self.incarnation = watch.bodies[watch.seen_commits(worker)[-1]]["incarnation"]
        self.partitions = watch.partitions_of(self.incarnation)
        self.head, self.moment = watch.head, time.monotonic()

    def seconds(self, watch):
        """From the kill until each of its partitions was committed by another; nothing while one was not."""
        moments = watch.moved_after(self.head)
        if not self.partitions or not self.partitions <= set(moments):
            return None
        return max(moments[partition] for partition in self.partitions) - self.moment


class Group:
    """The workers, and what is done to them."""

    def __init__(self, document, feed, watch, randomness):
        self.document, self.feed, self.watch, self.randomness = document, feed, watch, randomness
        self.workers = []
        self.kills, self.stops = [], []

    def join(self):
        self.workers.append(Worker(self.document, "--attach"))

    def any(self):
        """One that has committed: what happens to the others is no crash of an ingest."""
        running = wait("a worker has committed",
                       lambda: [worker for worker in self.workers if self.watch.seen_commits(worker)])
        return self.randomness.choice(running)

    def kill(self):
        victim = self.any()
        kill = Kill(self.watch, victim)
        victim.kill()
        self.workers.remove(victim)
        self.kills.append(kill)
        say(f"kill {len(self.kills)} of {KILLS}: {victim.name} at entry {kill.head}, "
            f"partitions {sorted(kill.partitions)}")

    def leave(self):
        leaver = self.any()
        self.workers.remove(leaver)
        leaver.drain()
        say(f"{leaver.name} left in order at entry {self.watch.head}")

    def stop_across_a_take_over(self):
        """SIGSTOP until others have committed its partitions; then it wakes and must find its way."""
        sleeper = self.any()
        stop = Kill(self.watch, sleeper)
        sleeper.stop()
        self.stops.append(stop)
        wait(f"take-over of partitions {sorted(stop.partitions)} of {sleeper.name}, which is stopped",
             lambda: self.go_on() and stop.seconds(self.watch) is not None)
        commits = len(sleeper.commits())
        sleeper.wake()
        wait(f"{sleeper.name} commits again", lambda: self.go_on() and len(sleeper.commits()) > commits)

    def go_on(self):
        """Messages flow, and nobody ends who was not ended."""
        self.feed.go_on()
        return all(worker.is_well() for worker in self.workers)

    def after_commits(self, most):
        """Goes on after a random number of further commits: counted in commits, not in seconds."""
        target = self.watch.head + self.randomness.randint(1, most)
        wait(f"entry {target}", lambda: self.go_on() and self.watch.head >= target, pause=0.05)


def disturb(group):
    """All kills and stops, in an order that the seed decides."""
    acts = ["kill"] * KILLS + ["stop"] * STOPS + ["leave"] * max(1, KILLS // 5)
    group.randomness.shuffle(acts)
    for act in acts:
        group.after_commits(4)
        if act == "stop":
            group.stop_across_a_take_over()
            continue
        group.kill() if act == "kill" else group.leave()
        group.after_commits(3)
        group.join()


def report(group):
    """A kill or a stop of who has just taken over begins the group's session anew: those are told apart."""
    taken = [(kill, kill.seconds(group.watch)) for kill in group.kills]
    say("seconds from kill to the next commit of all its partitions: " + ", ".join(
        f"{number}: {'none' if seconds is None else format(seconds, '.1f')}" for number, (_, seconds) in enumerate(taken, 1)))
    alone, overlapping = [], []
    for kill, seconds in taken:
        if seconds is not None:
            others = any(kill.moment < other.moment < kill.moment + seconds for other in group.kills + group.stops)
            (overlapping if others else alone).append(seconds)
    for what, each in (("with no other kill or stop until then", alone), ("with another until then", overlapping)):
        if each:
            say(f"of {len(each)} kills {what}: median {statistics.median(each):.1f} s, most {max(each):.1f} s (expected: 30 s)")


def work():
    topics.create(TOPIC, PARTITIONS)
    say(f"{MESSAGES} messages at {RATE}/s into {PARTITIONS} partitions, {WORKERS} workers, {KILLS} kills, {STOPS} stops")
    document = manifest.write(manifest.ingest("ingest", TOPIC, ZONE))
    feed = topics.Feed(TOPIC, MESSAGES, SEED, RATE)
    watch = Watch("/raw_zone/ingest")
    group = Group(document, feed, watch, random.Random(SEED))
    for _ in range(WORKERS):
        group.join()
    disturb(group)
    feed.join()
    messages, ends = oracle.read_topic(TOPIC)
    require(len(messages) >= MESSAGES, f"the topic holds {len(messages)} messages, and {MESSAGES} were produced")
    wait("everything is committed", lambda: all(worker.is_well() for worker in group.workers) and watch.next_offsets() == ends)
    for worker in group.workers:
        worker.drain()
    report(group)
    oracle.check_ingest(ZONE, TOPIC, oracle.Expected(messages))
    check_memory()


if __name__ == "__main__":
    try:
        main(work)
    finally:
        end_all()
