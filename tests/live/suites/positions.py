"""Where an ingest begins, and what it does when the topic is not what it was; see suites/positions.

Each scenario has a topic and a zone of its own, so that they run side by side; what they wait for is mostly the group.
"""

import concurrent.futures
import copy
import os
import random
import time

from confluent_kafka.admin import OffsetSpec

import manifest
import oracle
import topics
from suite import SEED, TMP, chosen, main, require, say, size, wait
from worker import Worker, end_all, run_to_end

COUNT = size(2_000, 200)
FIRST_MS = 1_760_000_000_000
STEP_MS = 1_000


class Scenario:
    """A topic, a zone on this machine, and the messages that were sent."""

    def __init__(self, name, partitions=2, **config):
        self.name, self.partitions = name, partitions
        # The messages' times are old: retention by time would take them at once.
        self.config = {"retention_ms": -1, **config}
        self.topic = topics.create(f"positions-{name}", partitions, **self.config)
        self.zone = f"file://{os.path.join(TMP, name)}/books"
        self.random = random.Random(f"{SEED} {name}")
        self.sent = 0

    def beside(self, name):
        """The same topic, and a zone of its own."""
        other = copy.copy(self)
        other.name, other.zone = name, f"file://{os.path.join(TMP, name)}/books"
        return other

    def send(self, count=COUNT, **producer):
        """Messages one second apart, over the partitions in turn."""
        topics.send(self.topic, self.messages(count), **producer)

    def messages(self, count):
        for _ in range(count):
            key, value = topics.library(self.random)
            yield self.sent % self.partitions, key, value, FIRST_MS + self.sent * STEP_MS
            self.sent += 1

    def document(self, **blocks):
        return manifest.write(manifest.ingest(self.name, self.topic, self.zone, max_age="2s", **blocks),
                              file=f"{self.name}.yaml")

    def run(self, expect=0, **blocks):
        return run_to_end(self.document(**blocks), expect=expect)

    def check(self, starts=None, absent=0, gaps=0, generations=()):
        """The zone holds the topic from these offsets on; further generations as (starts, ends or None)."""
        messages, ends = oracle.read_topic(self.topic)
        spans = [(starts or {}, ends), *generations]
        expected = {number: oracle.Expected(between(messages, *span)) for number, span in enumerate(spans)}
        oracle.check_ingest(self.zone, self.topic, expected, absent, gaps)
        return expected


def between(messages, starts, ends):
    return {place: message for place, message in messages.items()
            if starts.get(place[0], 0) <= place[1] < ends[place[0]]}


def rfc3339(milliseconds):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(milliseconds / 1000))


def start_earliest(scenario):
    scenario.send()
    scenario.run(kafka={"startFrom": {"position": "Earliest"}})
    scenario.check()


def start_latest(scenario):
    scenario.send()
    latest = {"startFrom": {"position": "Latest"}}
    scenario.run(kafka=latest)
    starts = topics.ends(scenario.topic)
    scenario.send()
    scenario.run(kafka=latest)
    scenario.check(starts)


def start_timestamp(scenario):
    scenario.send()
    moment = FIRST_MS + COUNT // 2 * STEP_MS
    scenario.run(kafka={"startFrom": {"position": "Timestamp", "timestamp": rfc3339(moment)}})
    starts = topics.offsets(scenario.topic, OffsetSpec.for_timestamp(moment))
    require(all(0 < offset < COUNT for offset in starts.values()), f"the timestamp means offsets {starts}")
    scenario.check(starts)


def start_offsets(scenario):
    scenario.send()
    starts = {0: 7, 1: COUNT // 4}
    offsets = [{"partition": partition, "offset": offset} for partition, offset in starts.items()]
    scenario.run(kafka={"startFrom": {"position": "Offsets", "offsets": offsets}})
    scenario.check(starts)


def rewind(scenario):
    """Back to a timestamp: generation 1 from there on, once, however often the nonce comes back."""
    scenario.send()
    scenario.run()
    ends = topics.ends(scenario.topic)
    moment = FIRST_MS + COUNT // 2 * STEP_MS
    starts = topics.offsets(scenario.topic, OffsetSpec.for_timestamp(moment))
    again = {"nonce": "bad-feed", "position": "Timestamp", "timestamp": rfc3339(moment)}
    scenario.run(rewind=again)
    scenario.check(generations=[(starts, ends)])
    scenario.run(rewind=again)
    scenario.check(generations=[(starts, ends)])


def data_loss(scenario):
    """The broker deletes what was not read: a stop with the offsets, or a recorded gap, as the document says."""
    scenario.send()
    scenario.run()
    read = topics.ends(scenario.topic)
    scenario.send()
    lost = {partition: offset + COUNT // 8 for partition, offset in read.items()}
    messages, _ = oracle.read_topic(scenario.topic)
    topics.delete_records(scenario.topic, lost)
    failed = scenario.run(expect=7, kafka={"onDataLoss": "Fail"})
    words = failed.last_words()
    require(scenario.topic in words and str(read[0]) in words, f"the loss is not named: {words}")
    say(f"it says: {failed.last_word()}")
    scenario.run(kafka={"onDataLoss": "RecordGap"})
    kept = {place: each for place, each in messages.items()
            if not read[place[0]] <= place[1] < lost[place[0]]}
    gaps = sum(lost.values()) - sum(read.values())
    oracle.check_ingest(scenario.zone, scenario.topic, oracle.Expected(kept), gaps=gaps)


def transactions(scenario):
    """Aborted and open transactions and trailing markers: caught up at the last stable offset, nothing lost."""
    client = topics.producer(transactional_id=scenario.name, transaction_timeout_ms=300_000)
    client.init_transactions(60)
    for end in (client.commit_transaction, client.abort_transaction, client.commit_transaction,
                client.abort_transaction):
        client.begin_transaction()
        scenario.send(COUNT // 4, client=client)
        end(60)
    scenario.run()
    expected = check_holes(scenario)
    client.begin_transaction()
    scenario.send(COUNT // 4, client=client)
    scenario.run()
    require(check_holes(scenario).rows == expected.rows, "rows of an open transaction are in the zone")
    client.commit_transaction(60)
    scenario.run()
    expected = check_holes(scenario)
    # Everything was read, so nothing is lost when all of it goes, the markers at the end included (schedule 20).
    told = oracle.gristmill_json("inspect", scenario.zone)
    topics.delete_records(scenario.topic, topics.ends(scenario.topic))
    scenario.run(kafka={"onDataLoss": "Fail"})
    require(oracle.gristmill_json("inspect", scenario.zone)["gaps"] == told["gaps"] == 0, "a loss was told")


def check_holes(scenario):
    """Offsets that the broker does not deliver are absent, as many as an independent consumer misses."""
    messages, ends = oracle.read_topic(scenario.topic)
    expected = oracle.Expected(messages)
    oracle.check_ingest(scenario.zone, scenario.topic, expected, absent=sum(ends.values()) - len(messages))
    return expected


def compacted(scenario):
    """A topic with holes and tombstones; the cleaner has come to rest before the worker starts."""
    client = topics.producer()
    keys = [f"key-{number}".encode() for number in range(COUNT // 10)]
    for number in range(COUNT):
        key = scenario.random.choice(keys)
        value = None if number % 17 == 0 else topics.library(scenario.random)[1]
        topics.send(scenario.topic, [(number % scenario.partitions, key, value)], client) if number % 50 == 0 else \
            client.produce(scenario.topic, value, key, number % scenario.partitions)
    client.flush(60)
    time.sleep(1)
    # A message after segment.ms makes a new segment, and only closed ones are cleaned.
    topics.send(scenario.topic, [(partition, b"last", topics.library(scenario.random)[1])
                                 for partition in range(scenario.partitions)], client)
    wait("the topic is compacted and at rest", lambda: at_rest(scenario))
    scenario.run()
    check_holes(scenario)


def at_rest(scenario):
    first, ends = oracle.read_topic(scenario.topic)
    time.sleep(5)
    again, _ = oracle.read_topic(scenario.topic)
    return first.keys() == again.keys() and len(first) < sum(ends.values()) * 3 // 4


def recreated(scenario):
    """A topic of the same name: with fewer messages, with more than were read, with fewer partitions."""
    scenario.send()
    scenario.run()
    before = oracle.Expected(oracle.read_topic(scenario.topic)[0])
    for partitions, count in ((2, COUNT // 2), (2, COUNT * 3), (1, COUNT)):
        topics.delete(scenario.topic)
        wait("the old topic is gone", lambda: scenario.topic not in topics.admin().list_topics(timeout=30).topics)
        scenario.partitions = partitions
        topics.create(scenario.topic, partitions, **scenario.config)
        scenario.send(count)
        refused = scenario.run(expect=6)
        require("rewind" in refused.last_words(), f"the way out is not named: {refused.last_words()}")
        say(f"it says: {refused.last_word()}")
    scenario.run(rewind={"nonce": "new-topic", "position": "Earliest"})
    now = oracle.Expected(oracle.read_topic(scenario.topic)[0])
    rows = {(row["generation"], row["kafka_partition"], row["kafka_offset"], row["record_index"])
            for row in oracle.plain_rows(scenario.zone)}
    require(rows == {(0, *place) for place in before.rows} | {(1, *place) for place in now.rows},
            "the zone does not hold the old topic in generation 0 and the new one in generation 1")


def consumer_protocol(scenario):
    """KIP-848: two workers of a group whose assignment the broker makes; one is killed."""
    scenario.send()
    config = {"config": {"group.protocol": "consumer"}}
    workers = [Worker(scenario.document(kafka=config)) for _ in range(2)]
    wait("both have committed", lambda: all(worker.commits() for worker in workers) or scenario.send(20))
    workers[0].kill()
    scenario.send()
    ends = topics.ends(scenario.topic)
    wait("the other has committed everything", lambda: stands_at(scenario, ends))
    workers[1].drain()
    scenario.check()


def shared_group(scenario):
    """Two zones with one group: the later one stays out, says so, and goes on by itself once the first has left."""
    scenario.send()
    group = {"consumerGroup": scenario.topic}
    first = Worker(scenario.document(kafka=group))
    wait("the first one has committed", first.commits)
    other = scenario.beside(f"{scenario.name}-other")
    second = Worker(other.document(kafka=group))
    status = wait("the second one stays out", lambda: shares_group(second))
    words = [status["zone"]["id"], first.status()["zone"]["id"], scenario.topic, "spec.source.kafka.consumerGroup"]
    require(all(word in status["message"] for word in words), f"it names not all of {words}: {status['message']}")
    say(f"it says: {status['message']}")
    scenario.send()
    ends = topics.ends(scenario.topic)
    wait("the first one has committed everything", lambda: stands_at(scenario, ends))
    require(not second.commits(), "the second one has read as well")
    first.drain()
    wait("the second one has gone on by itself", lambda: stands_at(other, ends))
    second.drain()
    scenario.check()
    other.check()


def shares_group(worker):
    status = worker.is_well() and worker.status()
    return status if status.get("phase") == "GroupShared" else None


def shared_group_at_once(scenario):
    """Two zones that come to one group at the same moment: one of them gives way, and both get every message."""
    scenario.send()
    other = scenario.beside(f"{scenario.name}-other")
    zones = {Worker(each.document(kafka={"consumerGroup": scenario.topic})): each for each in (scenario, other)}
    out = wait("one of them stays out", lambda: next(filter(shares_group, zones), None))
    within = next(worker for worker in zones if worker is not out)
    joined = any("partitions assigned" == line.get("message") for line in out.log())
    say(f"the one that stays out had {'joined' if joined else 'not joined'}")
    scenario.send()
    ends = topics.ends(scenario.topic)
    wait("the other one has committed everything", lambda: stands_at(zones[within], ends))
    within.drain()
    wait("the one that stayed out has gone on", lambda: stands_at(zones[out], ends))
    out.drain()
    for each in zones.values():
        each.check()


def stands_at(scenario, ends):
    offsets = oracle.gristmill_json("inspect", scenario.zone)["offsets"].get(scenario.topic, {})
    return {int(partition): at["next"] for partition, at in offsets.items()} == ends


# The longest first, so that none of them is alone at the end.
SCENARIOS = [shared_group_at_once, shared_group, compacted, consumer_protocol, recreated, transactions,
             data_loss, rewind, start_latest, start_earliest, start_timestamp, start_offsets]
TOPICS = {compacted: {"cleanup_policy": "compact", "segment_ms": 500, "min_cleanable_dirty_ratio": 0.01,
                      "delete_retention_ms": 86_400_000},
          consumer_protocol: {"partitions": 4}}


def attempt(scenario):
    name = scenario.__name__.replace("_", "-")
    begin = time.monotonic()
    try:
        scenario(Scenario(name, **TOPICS.get(scenario, {})))
    except BaseException as problem:  # noqa: BLE001 the others shall still be tried
        return f"{name}: {problem!r}"
    say(f"{name}: done in {time.monotonic() - begin:.1f} s")
    return None


def work():
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        tried = [pool.submit(attempt, scenario) for scenario in chosen(*SCENARIOS)]
        failures = [failure for failure in (each.result() for each in tried) if failure]
    require(not failures, "\n".join(["scenarios failed:", *failures]))


if __name__ == "__main__":
    try:
        main(work)
    finally:
        end_all()
