"""Topics of the real broker: made, filled, cut and removed by confluent-kafka, or filled by `gristmill produce`."""

import subprocess
import time
import uuid

from confluent_kafka import IsolationLevel, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic, OffsetSpec

from suite import BOOTSTRAP, gristmill_json, require

# librdkafka shall write nothing of its own: a broker that is away is what a suite does on purpose.
SILENT = 2


def admin(bootstrap=BOOTSTRAP):
    """Keep it while an answer is open: it takes the question with it."""
    return AdminClient({"bootstrap.servers": bootstrap, "log_level": SILENT})


def create(topic, partitions=1, bootstrap=BOOTSTRAP, replicas=None, **config):
    """Dots of a setting are written as underscores."""
    settings = {name.replace("_", "."): str(value) for name, value in config.items()}
    layout = {"replica_assignment": replicas} if replicas else {"replication_factor": 1}
    client = admin(bootstrap)
    client.create_topics([NewTopic(topic, partitions, config=settings, **layout)])[topic].result(60)
    return topic


def delete(topic):
    client = admin()
    client.delete_topics([topic])[topic].result(60)


def delete_records(topic, offsets):
    """Everything below these offsets is gone, as by retention."""
    places = [TopicPartition(topic, partition, offset) for partition, offset in offsets.items()]
    client = admin()
    for result in client.delete_records(places).values():
        result.result(60)


def partitions(topic, bootstrap=BOOTSTRAP):
    return sorted(admin(bootstrap).list_topics(topic, timeout=30).topics[topic].partitions)


def offsets(topic, spec, bootstrap=BOOTSTRAP):
    """The offset of each partition that the spec asks for; the latest is that of committed messages."""
    asked = {TopicPartition(topic, partition): spec for partition in partitions(topic, bootstrap)}
    client = admin(bootstrap)
    answers = client.list_offsets(asked, isolation_level=IsolationLevel.READ_COMMITTED, request_timeout=60)
    return {place.partition: answer.result(60).offset for place, answer in answers.items()}


def ends(topic, bootstrap=BOOTSTRAP):
    return offsets(topic, OffsetSpec.latest(), bootstrap)


def producer(bootstrap=BOOTSTRAP, **config):
    settings = {name.replace("_", "."): value for name, value in config.items()}
    return Producer({"bootstrap.servers": bootstrap, "enable.idempotence": True, "message.max.bytes": 100_000_000,
                     "linger.ms": 5, "log_level": SILENT, **settings})


def send(topic, messages, client=None, bootstrap=BOOTSTRAP):
    """Messages of (partition, key, value[, timestamp in ms]), in order; returns when the broker has them all."""
    client = client or producer(bootstrap)
    failures = []
    for partition, key, value, *timestamp in messages:
        options = {"timestamp": timestamp[0]} if timestamp else {}
        while True:
            try:
                client.produce(topic, value, key, partition,
                               on_delivery=lambda error, _: error and failures.append(error), **options)
                break
            except BufferError:
                client.poll(0.1)
        client.poll(0)
    require(client.flush(120) == 0 and not failures, f"messages to {topic} were not taken: {failures[:3]}")


def book_arguments(topic, count, seed, rate=0, bootstrap=BOOTSTRAP):
    """5 % malformed or invalid, 2 % duplicates."""
    return ["produce", "--bootstrap-servers", bootstrap, "--topic", topic, "--count", str(count), "--seed", str(seed),
            "--duplicates", "2", "--malformed", "2", "--invalid", "3", "--rate", str(rate),
            # Brokers that are away for a while are what some suites do on purpose.
            "--wait", "5m"]


def books(topic, count, seed, **options):
    """Sample messages, all at once; what was sent."""
    return gristmill_json(*book_arguments(topic, count, seed, **options))


class Feed:
    """Sample messages at a rate, by a process beside the suite."""

    def __init__(self, topic, count, seed, rate):
        self.topic, self.count, self.seed, self.rate = topic, count, seed, rate
        self.process = self.begin()

    def begin(self):
        arguments = book_arguments(self.topic, self.count, self.seed, self.rate)
        return subprocess.Popen(["gristmill", *arguments], stdout=subprocess.DEVNULL)

    def go_on(self):
        """More of them, where all have been sent already: a slow machine needs them for longer."""
        if self.process.poll() is not None:
            self.join()
            self.seed += 1_000
            self.count = max(self.count // 10, 1_000)
            self.process = self.begin()

    def join(self):
        require(self.process.wait() == 0, "the sample messages could not be sent")

    def end(self):
        """No more than are sent by now; what is on its way has arrived when two looks agree."""
        self.process.kill()
        self.process.wait()
        before = None
        while before != (before := ends(self.topic)):
            time.sleep(0.5)


def library(random, books=2, title="The Live Mill", ids=None, year=2025):
    """One valid message and its key."""
    ids = ids or [str(uuid.UUID(int=random.getrandbits(128))) for _ in range(books)]
    rows = "".join(f"<book><record_id>{each}</record_id><title>{title}</title><author><name>Ada</name></author>"
                   f"<publication_year>{random.randint(1990, 2025)}</publication_year><price>9.50</price>"
                   f"<updated_at>{year}-12-31T00:00:00Z</updated_at></book>" for each in ids)
    return ids[0].encode(), f"<library>{rows}</library>".encode()
