"""What the zones must hold, worked out from the topic by other means than ours: confluent-kafka, lxml, PyArrow.

It knows the rules of manifests/quickstart/books.yaml as a person would read them, and shares no code with the
product. Each check returns what it counted, or ends the suite with the first differences.
"""

import glob
import os
import re
import subprocess
import sys
import urllib.parse

import pyarrow.parquet as pq
from confluent_kafka import Consumer, TopicPartition
from lxml import etree

COLUMNS = ["record_id", "title", "author_name", "author_country", "library_region", "publication_year", "price",
           "updated_at"]
METADATA = ["kafka_topic", "kafka_topic_id", "kafka_partition", "kafka_offset", "kafka_timestamp", "kafka_key",
            "record_index", "generation"]
RECORD_ID = re.compile(r"^[0-9a-f-]{36}$")
XML_SPACE = " \t\r\n"


def fail(what, details=()):
    print(f"oracle: {what}", file=sys.stderr)
    for detail in list(details)[:10]:
        print(f"    {detail}", file=sys.stderr)
    sys.exit(1)


def read_topic(bootstrap, topic):
    """Every message of the topic: (partition, offset) -> (timestamp in ms, key, value)."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "oracle", "enable.auto.commit": False,
                         "isolation.level": "read_committed", "auto.offset.reset": "error"})
    partitions = consumer.list_topics(topic, timeout=30).topics[topic].partitions
    ends, messages = {}, {}
    for partition in partitions:
        low, high = consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=30)
        if high > low:
            ends[partition] = high
            consumer.incremental_assign([TopicPartition(topic, partition, low)])
    positions = {partition: 0 for partition in ends}
    while any(positions[partition] < end for partition, end in ends.items()):
        message = consumer.poll(60)
        if message is None:
            fail(f"no message of {topic} for 60 s; at {positions} of {ends}")
        if message.error():
            fail(f"reading {topic}: {message.error()}")
        if message.offset() < ends[message.partition()]:
            messages[message.partition(), message.offset()] = (message.timestamp()[1], message.key(), message.value())
        positions[message.partition()] = message.offset() + 1
    consumer.close()
    return messages


def text(element, path):
    """The trimmed text of the only element at the path, or None."""
    found = element.find(path)
    return None if found is None else (found.text or "").strip(XML_SPACE)


def expected_row(book, region):
    """(values, None), or (None, (reason, column)) for the first rule that the row breaks, in the columns' order."""
    row = {"record_id": text(book, "record_id"), "title": text(book, "title"),
           "author_name": text(book, "author/name"), "author_country": text(book, "author/country"),
           "library_region": region, "updated_at": text(book, "updated_at")}
    if row["author_country"] in ("", "N/A"):
        row["author_country"] = None
    if row["record_id"] is None:
        return None, ("Required", "record_id")
    if not RECORD_ID.search(row["record_id"]):
        return None, ("PatternMismatch", "record_id")
    if row["title"] is None:
        return None, ("Required", "title")
    year = text(book, "publication_year")
    row["publication_year"] = None if year in (None, "") else int(year)
    if row["publication_year"] is not None and row["publication_year"] < 1450:
        return None, ("BelowMin", "publication_year")
    if row["publication_year"] is not None and row["publication_year"] > 2100:
        return None, ("AboveMax", "publication_year")
    try:
        price = text(book, "price")
        row["price"] = None if price in (None, "") else float(price)
    except ValueError:
        return None, ("InvalidType", "price")
    if row["price"] is not None and row["price"] < 0.01:
        return None, ("BelowMin", "price")
    return row, None


class Expected:
    """What RAW and its rejects must hold: every row and every reject by its place in the topic."""

    def __init__(self, messages):
        self.messages = len(messages)
        self.rows, self.rejects = {}, {}
        self.accepted = self.rejected = self.tombstones = 0
        for (partition, offset), (timestamp, key, value) in messages.items():
            if value is None:
                self.tombstones += 1
                continue
            before = len(self.rows)
            self.message(partition, offset, timestamp, key, value)
            if len(self.rows) > before:
                self.accepted += 1
            else:
                self.rejected += 1

    def message(self, partition, offset, timestamp, key, value):
        try:
            root = etree.fromstring(value, etree.XMLParser(resolve_entities=False, no_network=True))
        except etree.XMLSyntaxError:
            self.rejects[partition, offset, None] = ("NotWellFormed", None)
            return
        books = root.findall("book") if root.tag == "library" else []
        if not books:
            self.rejects[partition, offset, None] = ("NoRows", None)
        region = root.get("region")
        for index, book in enumerate(books):
            row, reason = expected_row(book, None if region is None else region.strip(XML_SPACE))
            if reason:
                self.rejects[partition, offset, index] = reason
            else:
                self.rows[partition, offset, index] = (row, timestamp, key)


def parquet_files(directory, pattern):
    return sorted(glob.glob(os.path.join(directory, pattern), recursive=True))


def read_rows(files):
    """Rows of plain Parquet files, file by file, with the Hive directories left out."""
    for file in files:
        yield from ((file, row) for row in pq.ParquetFile(file).read().to_pylist())


def check_raw(directory, expected, topic):
    """The RAW zone holds every expected row once and no other."""
    files = parquet_files(directory, "ingest_date=*/**/*.parquet")
    found, twice, wrong = {}, [], []
    topic_ids = set()
    for file, row in read_rows(files):
        place = row["kafka_partition"], row["kafka_offset"], row["record_index"]
        if place in found:
            twice.append((place, file, found[place]))
        found[place] = file
        topic_ids.add(row["kafka_topic_id"])
        if place not in expected.rows:
            wrong.append((place, "not expected", file))
            continue
        values, timestamp, key = expected.rows[place]
        stamp = row["kafka_timestamp"]
        if {name: row[name] for name in COLUMNS} != {name: values[name] for name in COLUMNS} \
                or row["kafka_topic"] != topic or row["kafka_key"] != key or row["generation"] != 0 \
                or int(stamp.timestamp() * 1000 + 0.5) != timestamp:
            wrong.append((place, row, values))
        if list(row) != COLUMNS + METADATA:
            wrong.append((place, "columns", list(row)))
    missing = sorted(set(expected.rows) - set(found))
    if twice or wrong or missing:
        fail(f"RAW: {len(twice)} rows twice, {len(wrong)} wrong, {len(missing)} missing of {len(expected.rows)}",
             twice + wrong + missing)
    if len(topic_ids) > 1:
        fail("RAW: rows of several topic ids", topic_ids)
    return {"raw_rows": len(found), "raw_files": len(files), "topic_id": next(iter(topic_ids), None)}


def check_rejects(directory, expected, messages):
    """The rejected directory holds every expected reject once, each message's payload on its first one."""
    files = parquet_files(directory, "**/*.parquet")
    found, wrong = {}, []
    first = {}
    for partition, offset, index in expected.rejects:
        place = partition, offset
        first[place] = min(first.get(place, 1 << 30), -1 if index is None else index)
    for file, row in read_rows(files):
        place = row["kafka_partition"], row["kafka_offset"], row["record_index"]
        if place in found:
            wrong.append((place, "twice", file))
        found[place] = row
        if expected.rejects.get(place) != (row["reason"], row["column"]):
            wrong.append((place, (row["reason"], row["column"]), expected.rejects.get(place)))
        if not row["path"] or row["line"] < 1 or row["position"] < 1 or not row["message"]:
            wrong.append((place, "has no path, line, position or message", row))
        index = -1 if place[2] is None else place[2]
        value = messages[place[:2]][2]
        payload = value[:65536] if first.get(place[:2]) == index else None
        if row["payload"] != payload:
            wrong.append((place, "payload", row["payload"]))
    missing = sorted(set(expected.rejects) - set(found), key=str)
    if wrong or missing:
        fail(f"rejects: {len(wrong)} wrong, {len(missing)} missing of {len(expected.rejects)}", wrong + missing)
    return {"rejects": len(found), "rejected_files": len(files)}


def expected_winners(expected, topic_id):
    """Of each record_id the row with the greatest (updated_at, Kafka timestamp, topic id, partition, offset, index)."""
    winners = {}
    for (partition, offset, index), (row, timestamp, _) in expected.rows.items():
        order = (row["updated_at"] or "", timestamp, topic_id, partition, offset, index)
        if row["record_id"] not in winners or order > winners[row["record_id"]][0]:
            winners[row["record_id"]] = (order, row)
    return winners


def check_processed(directory, expected, topic_id):
    """The Processed zone holds exactly the winner of each key, in the directory of its publication year."""
    winners = expected_winners(expected, topic_id)
    files = parquet_files(directory, "publication_year=*/**/*.parquet")
    found, wrong = {}, []
    for file, row in read_rows(files):
        level = next(step for step in file.split(os.sep) if step.startswith("publication_year="))
        value = urllib.parse.unquote(level.split("=", 1)[1])
        row["publication_year"] = None if value == "__HIVE_DEFAULT_PARTITION__" else int(value)
        key = row["record_id"]
        if key in found:
            wrong.append((key, "twice", file, found[key]))
        found[key] = file
        order, values = winners.get(key, (None, None))
        if values is None:
            wrong.append((key, "not expected", file))
            continue
        same = {name: row[name] for name in COLUMNS} == values
        # Rows that are equal in all user columns are one row: which of them stays changes nothing a reader sees.
        if not same:
            wrong.append((key, row, values))
    missing = sorted(set(winners) - set(found))
    if wrong or missing:
        fail(f"Processed: {len(wrong)} wrong, {len(missing)} missing of {len(winners)}", wrong + missing)
    return {"processed_rows": len(found), "processed_files": len(files),
            "duplicates": len(expected.rows) - len(winners)}


def copy_out(url, directory):
    """Copies a directory of HDFS to a local one with Hadoop's own client."""
    live = os.environ["GRISTMILL_LIVE"]
    subprocess.run([os.path.join(live, "hdfs.sh"), "fs", "-get", url, directory], check=True)


def summary(expected, **counts):
    """One line for people and one of JSON."""
    figures = {"messages": expected.messages, "accepted": expected.accepted, "rejected": expected.rejected,
               "tombstones": expected.tombstones, "rows": len(expected.rows), "missing": 0, "twice": 0, **counts}
    print("oracle: " + ", ".join(f"{name} {value}" for name, value in figures.items()))
    return figures
