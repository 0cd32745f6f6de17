"""What the zones must hold, worked out from the topic by other means than ours: confluent-kafka, lxml, PyArrow.

It shares no code with the product. Each check returns what it counted, or ends the suite with the first differences.
"""

import collections
import datetime
import glob
import hashlib
import os
import shutil
import sys
import urllib.parse

import pyarrow.parquet as pq
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import OffsetSpec

import manifest
import topics
from rules import Rules
from suite import BOOTSTRAP, TMP, gristmill_json, say
from zone_log import HDFS

METADATA = ["kafka_topic", "kafka_topic_id", "kafka_partition", "kafka_offset", "kafka_timestamp", "kafka_key",
            "record_index", "generation"]
STORED_PAYLOAD = 64 * 1024
MILLISECOND = datetime.timedelta(milliseconds=1)
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)

# One message of the topic; the time in ms.
Message = collections.namedtuple("Message", "timestamp key value")


def fail(what, details=()):
    print(f"oracle: {what}", file=sys.stderr)
    for detail in list(details)[:10]:
        print(f"    {str(detail)[:1000]}", file=sys.stderr)
    sys.exit(1)


def read_topic(topic, bootstrap=BOOTSTRAP):
    """(every committed message by its (partition, offset), the end offset of each partition)."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "oracle", "enable.auto.commit": False,
                         "isolation.level": "read_committed", "auto.offset.reset": "error",
                         "enable.partition.eof": True, "fetch.max.bytes": 64 << 20, "receive.message.max.bytes": 256 << 20})
    ends, lows = topics.ends(topic, bootstrap), topics.offsets(topic, OffsetSpec.earliest(), bootstrap)
    open_partitions = {partition for partition, end in ends.items() if end > lows[partition]}
    consumer.assign([TopicPartition(topic, partition, lows[partition]) for partition in open_partitions])
    messages = {}
    while open_partitions:
        message = consumer.poll(60)
        if message is None:
            fail(f"no message of {topic} for 60 s; partitions {sorted(open_partitions)} are not read to their ends")
        if message.error():
            if not message.error().code() == -191:  # the end of a partition
                fail(f"reading {topic}: {message.error()}")
            open_partitions.discard(message.partition())
            continue
        if message.offset() < ends[message.partition()]:
            place = message.partition(), message.offset()
            messages[place] = Message(message.timestamp()[1], message.key(), message.value())
    consumer.close()
    return messages, ends


class Expected:
    """What RAW and its rejects must hold of these messages: every row and every reject by its place in the topic.

    `rejected` names messages that a limit refuses although they are well-formed: place -> reason.
    """

    def __init__(self, messages, record=None, rejected=None):
        self.rules = Rules(record or manifest.RECORD)
        self.messages = messages
        self.rows, self.rejects = {}, {}
        self.accepted = self.rejected = self.tombstones = 0
        for place, message in messages.items():
            if message.value is None:
                self.tombstones += 1
                continue
            reason = (rejected or {}).get(place)
            rows, rejects = ({}, {None: (reason, None)}) if reason else self.rules.read(message.value)
            for index, row in rows.items():
                self.rows[*place, index] = row
            for index, reject in rejects.items():
                self.rejects[*place, index] = reject
            self.accepted += bool(rows)
            self.rejected += not rows

    def keys(self):
        at = self.rules.names.index("record_id")
        return {row[at] for row in self.rows.values()}


def parquet_files(directory, pattern):
    return sorted(glob.glob(os.path.join(directory, pattern), recursive=True))


def read_rows(files, columns):
    """(file, row as a tuple of the named columns), with the Hive directories left out."""
    for file in files:
        table = pq.ParquetFile(file).read(columns=columns)
        for row in zip(*(table.column(name).to_pylist() for name in columns)):
            yield file, row


def plain_rows(zone):
    """Rows of a zone on this machine, as a plain listing shows them."""
    for file in parquet_files(urllib.parse.urlparse(zone).path, "ingest_date=*/**/*.parquet"):
        yield from pq.ParquetFile(file).read().to_pylist()


def milliseconds(time):
    return None if time is None else (time - EPOCH) // MILLISECOND


def check_raw(directory, expected, topic):
    """The RAW zone holds every expected row once in each generation and no other; `expected` by generation."""
    files = parquet_files(directory, "ingest_date=*/**/*.parquet")
    names = expected[max(expected)].rules.names
    twice, wrong, found, topic_ids = [], [], {}, set()
    for file in files:
        if pq.read_schema(file).names != names + METADATA:
            wrong.append((file, "columns", pq.read_schema(file).names))
    width = len(names)
    for file, row in read_rows(files, names + METADATA):
        user, (name, topic_id, partition, offset, stamp, key, index, generation) = row[:width], row[width:]
        place = generation, partition, offset, index
        if place in found:
            twice.append((place, file, found[place]))
        found[place] = file
        topic_ids.add(topic_id)
        wanted = expected[generation].rows.get(place[1:]) if generation in expected else None
        if wanted is None:
            wrong.append((place, "not expected", file))
            continue
        message = expected[generation].messages[partition, offset]
        if user != wanted or name != topic or key != message.key or milliseconds(stamp) != message.timestamp:
            wrong.append((place, user, wanted, (name, key, stamp), message[:2]))
    missing = [(generation, *place) for generation, each in expected.items() for place in each.rows
               if (generation, *place) not in found]
    if twice or wrong or missing:
        fail(f"RAW: {len(twice)} rows twice, {len(wrong)} wrong, {len(missing)} missing", twice + wrong + missing)
    if len(topic_ids) > 1:
        fail("RAW: rows of several topic ids", topic_ids)
    return {"raw_rows": len(found), "raw_files": len(files), "topic_id": next(iter(topic_ids), None)}


REJECT = ["kafka_partition", "kafka_offset", "record_index", "generation", "reason", "column", "path", "line",
          "position", "message", "payload", "payload_length", "payload_sha256"]
Reject = collections.namedtuple("Reject", REJECT)


def check_rejects(directory, expected):
    """The rejected directory holds every expected reject once, each message's payload on its first one."""
    files = parquet_files(directory, "**/*.parquet")
    found, wrong = {}, []
    for file, row in read_rows(files, REJECT):
        reject = Reject(*row)
        place = reject.generation, reject.kafka_partition, reject.kafka_offset, reject.record_index
        if place in found:
            wrong.append((place, "twice", file))
        found[place] = reject
        wanted = expected[reject.generation].rejects.get(place[1:]) if reject.generation in expected else None
        if wanted != (reject.reason, reject.column):
            wrong.append((place, (reject.reason, reject.column), "expected", wanted))
            continue
        if not reject.message or (reject.column and not (reject.path and reject.line and reject.position)):
            wrong.append((place, "has no path, line, position or message", reject))
        value = expected[reject.generation].messages[place[1:3]].value
        if reject.payload_length != len(value) or hashlib.sha256(value).hexdigest() not in reject.payload_sha256:
            wrong.append((place, "length or digest", reject.payload_length, reject.payload_sha256))
        if reject.payload is not None and reject.payload != value[:STORED_PAYLOAD]:
            wrong.append((place, "payload", reject.payload))
    stored = collections.Counter(place[:3] for place, reject in found.items() if reject.payload is not None)
    missing = []
    for generation, each in expected.items():
        missing += [(generation, *place) for place in each.rejects if (generation, *place) not in found]
        rejected = {(generation, *place[:2]) for place in each.rejects}
        wrong += [(place, "payloads stored", stored[place]) for place in rejected if stored[place] != 1]
    if wrong or missing:
        fail(f"rejects: {len(wrong)} wrong, {len(missing)} missing", wrong + missing)
    return {"rejects": len(found), "rejected_files": len(files)}


def check_identity(zone, expected, absent=0, gaps=0, user=("--user", "etl")):
    """`inspect` counts what the topic says, over all generations."""
    told = gristmill_json("inspect", zone, *user)
    wanted = {"accepted_messages": sum(each.accepted for each in expected.values()),
              "rejected_messages": sum(each.rejected for each in expected.values()),
              "tombstones": sum(each.tombstones for each in expected.values()), "absent": absent, "gaps": gaps,
              "rows": sum(len(each.rows) for each in expected.values()),
              "rejected_rows": sum(len(each.rejects) for each in expected.values())}
    differences = {key: (told[key], value) for key, value in wanted.items() if told[key] != value}
    if differences:
        fail(f"inspect {zone} tells other figures than the topic (told, expected): {differences}")
    return told


def check_ingest(zone, topic, expected, absent=0, gaps=0, hdfs=HDFS):
    """Everything about a RAW zone at rest, on HDFS or here; the directory that was checked stays for more."""
    expected = expected if isinstance(expected, dict) else {0: expected}
    with fetched(zone, hdfs) as directory:
        raw = check_raw(directory, expected, topic)
        rejects = check_rejects(f"{directory}_rejected", expected)
    told = check_identity(zone, expected, absent, gaps)
    return summary(expected, absent=absent, gaps=gaps, entries=told["head_sequence"] + 1, **raw, **rejects)


class fetched:
    """A zone and its rejects on this machine: copied out of HDFS by Hadoop's own client, and gone after the check."""

    def __init__(self, zone, hdfs):
        self.hdfs = hdfs
        self.path = urllib.parse.urlparse(zone).path
        self.is_remote = zone.startswith("hdfs://")
        self.folder = os.path.join(TMP, "fetched")

    def __enter__(self):
        if not self.is_remote:
            return self.path
        shutil.rmtree(self.folder, ignore_errors=True)
        os.makedirs(self.folder)
        self.hdfs.fs("-get", self.path, self.folder)
        # A zone without a reject may have no such directory.
        if self.hdfs.list(f"{self.path}_rejected"):
            self.hdfs.fs("-get", f"{self.path}_rejected", self.folder)
        return os.path.join(self.folder, os.path.basename(self.path))

    def __exit__(self, *_):
        if self.is_remote:
            shutil.rmtree(self.folder, ignore_errors=True)


def expected_winners(expected, topic_id):
    """Of each record_id the row with the greatest (updated_at, Kafka timestamp, topic id, partition, offset, index)."""
    names = expected.rules.names
    key, order_by = names.index("record_id"), names.index("updated_at")
    winners = {}
    for (partition, offset, index), row in expected.rows.items():
        timestamp = expected.messages[partition, offset].timestamp
        order = (row[order_by] is not None, row[order_by] or 0, timestamp, topic_id, partition, offset, index)
        if row[key] not in winners or order > winners[row[key]][0]:
            winners[row[key]] = (order, row)
    return winners


def check_processed(directory, expected, topic_id):
    """The Processed zone holds exactly the winner of each key, in the directory of its publication year."""
    names = expected.rules.names
    key, level = names.index("record_id"), names.index("publication_year")
    inside = names[:level] + names[level + 1:]
    winners = expected_winners(expected, topic_id)
    files = parquet_files(directory, "publication_year=*/**/*.parquet")
    found, wrong = {}, []
    for file, row in read_rows(files, inside):
        step = next(step for step in file.split(os.sep) if step.startswith("publication_year="))
        value = urllib.parse.unquote(step.split("=", 1)[1])
        year = None if value == "__HIVE_DEFAULT_PARTITION__" else int(value)
        row = (*row[:level], year, *row[level:])
        if row[key] in found:
            wrong.append((row[key], "twice", file, found[row[key]]))
        found[row[key]] = file
        # Rows that are equal in all user columns are one row: which of them stays changes nothing a reader sees.
        _, wanted = winners.get(row[key], (None, None))
        if row != wanted:
            wrong.append((row[key], file, row, wanted))
    missing = sorted(set(winners) - set(found))
    if wrong or missing:
        fail(f"Processed: {len(wrong)} wrong, {len(missing)} missing of {len(winners)}", wrong + missing)
    return {"processed_rows": len(found), "processed_files": len(files),
            "duplicates": len(expected.rows) - len(winners)}


def summary(expected, **counts):
    """One line for people; the figures for the caller."""
    each = expected.values()
    figures = {"messages": sum(len(one.messages) for one in each), "accepted": sum(one.accepted for one in each),
               "rejected": sum(one.rejected for one in each), "tombstones": sum(one.tombstones for one in each),
               "rows": sum(len(one.rows) for one in each), "missing": 0, "twice": 0, "wrong": 0, **counts}
    say("oracle: " + ", ".join(f"{name} {value}" for name, value in figures.items() if name != "topic_id"))
    return figures
