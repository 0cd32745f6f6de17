"""Peak memory of a worker where it could grow: many partitions, large messages, documents made to hurt."""

import collections
import json
import os
import random
import time

import yaml

import adversarial
import manifest
import oracle
import topics
from suite import SEED, TMP, chosen, main, require, say, size, wait
from worker import Worker, check_memory, end_all, run_to_end

MIB = 1 << 20
BROKER_LIMIT = 20 * MIB
MESSAGES = size(300_000, 30_000)


def zone(name):
    return f"file://{os.path.join(TMP, name)}/books"


def many_partitions():
    """500 partitions are read by one worker within the same budget as one."""
    topic = topics.create("memory-partitions", 500)
    topics.books(topic, MESSAGES, SEED)
    worker = run_to_end(manifest.write(manifest.ingest("partitions", topic, zone("partitions"))))
    oracle.check_ingest(zone("partitions"), topic, oracle.Expected(oracle.read_topic(topic)[0]))
    check_memory(worker)


def document_of(length, randomness):
    """A valid document of exactly so many bytes: books, and a comment for the rest."""
    books, total = [], len("<library></library>")
    while total < length - 2_000:
        book = topics.library(randomness, 1)[1].removeprefix(b"<library>").removesuffix(b"</library>")
        books.append(book)
        total += len(book)
    filling = b"<!--" + b"-" * 0 + b"x" * (length - total - len("<!---->")) + b"-->"
    return b"<library>" + b"".join(books) + filling + b"</library>"


def size_limit():
    """A message of exactly the greatest size lands whole; one byte more is a reject; both among small ones."""
    topic = topics.create("memory-limit", 1, max_message_bytes=BROKER_LIMIT + MIB)
    randomness = random.Random(SEED)
    limit = 16 * MIB
    small = [(0, *topics.library(randomness)) for _ in range(1_000)]
    topics.send(topic, [*small[:500], (0, b"limit", document_of(limit, randomness)),
                        (0, b"above", document_of(limit + 1, randomness)), *small[500:]])
    worker = run_to_end(manifest.write(manifest.ingest("limit", topic, zone("limit"))))
    messages, _ = oracle.read_topic(topic)
    expected = oracle.Expected(messages, rejected={(0, 501): "MessageTooLarge"})
    require(len([place for place in expected.rows if place[1] == 500]) > 50_000, "the great message has few rows")
    oracle.check_ingest(zone("limit"), topic, expected)
    check_memory(worker)


def cannot_be_received():
    """A message above what the consumer may receive stops its partition, by name, and is not fetched for ever."""
    topic = topics.create("memory-unreceived", 2, max_message_bytes=BROKER_LIMIT + MIB)
    randomness = random.Random(SEED)
    small = [(number % 2, *topics.library(randomness)) for number in range(200)]
    topics.send(topic, [*small[:100], (0, b"too large", document_of(8 * MIB, randomness)), *small[100:]])
    # What may be received is 1 MiB for a message, 1 MiB for a fetch and 1 MiB for the rest.
    document = manifest.write(manifest.ingest(
        "unreceived", topic, zone("unreceived"), kafka={"config": {"fetch.max.bytes": str(MIB)}},
        record={"limits": {"maxMessageSize": "1Mi"}}))
    worker = Worker(document)
    told = wait("the worker says which message", lambda: stopped(worker))
    say(f"it says: {told}")
    for word in ("MessageTooLarge", topic, "50"):
        require(word in told, f"{word} is not named: {told}")
    wait("the other partition is committed to its end", lambda: worker.is_well() and next_offset(zone("unreceived"), topic, 1) == 100)
    before = received_bytes()
    time.sleep(10)
    traffic = (received_bytes() - before) / MIB
    say(f"{traffic:.1f} MiB went over loopback in 10 s after that")
    require(traffic < 8, "the message is fetched over and over")
    worker.drain()
    messages, _ = oracle.read_topic(topic)
    before = {place: each for place, each in messages.items() if place[0] == 1 or place[1] < 50}
    oracle.check_ingest(zone("unreceived"), topic, oracle.Expected(before))
    check_memory(worker)


def adversarial_documents():
    """What `decode` is tried with, through Kafka as far as the broker takes it: the same verdicts, the same budget."""
    record = yaml.safe_load(adversarial.MANIFEST)["spec"]["record"]
    topic = topics.create("memory-adversarial", 1, max_message_bytes=BROKER_LIMIT)
    client = topics.producer()
    expected, sent = {}, 0
    for name, becomes, pieces in adversarial.DOCUMENTS:
        document = b"".join(pieces())
        if len(document) < BROKER_LIMIT - 1024:
            topics.send(topic, [(0, b"valid", b"<l region='x'><b id='1'><n>1</n></b></l>"), (0, b"document", document)], client)
            expected[sent], expected[sent + 1] = ("valid", "accepted"), (name, becomes)
            sent += 2
    say(f"{sent // 2} documents of {len(adversarial.DOCUMENTS)}, the others are larger than the broker takes")
    worker = run_to_end(manifest.write(manifest.ingest("adversarial", topic, zone("adversarial"), record=record)))
    found = verdicts(zone("adversarial"))
    wrong = {offset: (*each, found.get(offset)) for offset, each in expected.items() if found.get(offset) != {each[1]}}
    require(not wrong and found.keys() == expected.keys(), f"(name, expected, found) by offset: {wrong}")
    told = oracle.gristmill_json("inspect", zone("adversarial"))
    require(told["messages"] == sent, f"inspect counts {told['messages']} messages of {sent}")
    check_memory(worker)


def verdicts(url):
    """Of each offset the reasons of its rejects, and "accepted" where it has rows."""
    found = collections.defaultdict(set)
    directory = url.removeprefix("file://")
    for _, (offset, reason) in oracle.read_rows(
            oracle.parquet_files(f"{directory}_rejected", "**/*.parquet"), ["kafka_offset", "reason"]):
        found[offset].add(reason)
    for _, (offset,) in oracle.read_rows(oracle.parquet_files(directory, "ingest_date=*/**/*.parquet"), ["kafka_offset"]):
        found[offset].add("accepted")
    return found


def stopped(worker):
    """What it says of a partition that it can't read on: in /status, or with its last word."""
    if not worker.is_alive():
        return worker.last_word()
    told = worker.status().get("stopped", [])
    return json.dumps(told[0]) if told else None


def next_offset(url, topic, partition):
    return oracle.gristmill_json("inspect", url)["offsets"].get(topic, {}).get(str(partition), {}).get("next")


def received_bytes():
    with open("/proc/self/net/dev", encoding="ascii") as devices:
        return next(int(line.split(":")[1].split()[0]) for line in devices if line.strip().startswith("lo:"))


def work():
    for part in chosen(many_partitions, size_limit, cannot_be_received, adversarial_documents):
        part()


if __name__ == "__main__":
    try:
        main(work)
    finally:
        end_all()
