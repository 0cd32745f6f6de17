"""The ingest as one would write it in an afternoon: confluent-kafka, lxml, PyArrow, one process.

consumer.py BOOTSTRAP TOPIC DIRECTORY (drain | follow)

`drain` reads what the topic holds and ends; `follow` writes a file a second and stays. Rows that break a rule are
dropped: rejects are not written. Offsets are committed after the file has its name, so a crash between the two writes
rows twice.
"""

import datetime
import decimal
import os
import re
import sys
import time
import uuid

import pyarrow
import pyarrow.parquet
from confluent_kafka import Consumer, KafkaError
from lxml import etree

RECORD_ID = re.compile(r"^[0-9a-f-]{36}$")
SPACE = " \t\r\n"
CENT = decimal.Decimal("0.01")
ROWS_OF_FILE = 1_000_000
AGE_OF_FILE = 1
SCHEMA = pyarrow.schema([
    ("record_id", pyarrow.string()), ("title", pyarrow.string()), ("author_name", pyarrow.string()),
    ("author_country", pyarrow.string()), ("library_region", pyarrow.string()), ("publication_year", pyarrow.int32()),
    ("price", pyarrow.decimal128(10, 2)), ("updated_at", pyarrow.timestamp("us", "UTC")),
    ("kafka_topic", pyarrow.string()), ("kafka_partition", pyarrow.int32()), ("kafka_offset", pyarrow.int64()),
    ("kafka_timestamp", pyarrow.timestamp("ms", "UTC")), ("kafka_key", pyarrow.binary()),
    ("record_index", pyarrow.int32())])


def text(element, path):
    found = element.findtext(path)
    return None if found is None else found.strip(SPACE)


def values(book, region):
    """The columns of a book; nothing if a rule is broken."""
    record_id, title, country = text(book, "record_id"), text(book, "title"), text(book, "author/country")
    if record_id is None or not RECORD_ID.match(record_id) or title is None or len(title) > 500:
        return None
    try:
        year, price, updated_at = text(book, "publication_year"), text(book, "price"), text(book, "updated_at")
        year = int(year) if year else None
        price = decimal.Decimal(price) if price else None
        updated_at = datetime.datetime.fromisoformat(updated_at) if updated_at else None
    except (ValueError, decimal.InvalidOperation):
        return None
    if year is not None and not 1450 <= year <= 2100:
        return None
    if price is not None and (price < CENT or price != price.quantize(CENT)):
        return None
    country = None if country in ("", "N/A") else country
    return record_id, title, text(book, "author/name"), country, region, year, price, updated_at


def rows(message):
    try:
        library = etree.fromstring(message.value())
    except etree.XMLSyntaxError:
        return
    region = library.get("region")
    region = None if region is None else region.strip(SPACE)
    place = message.topic(), message.partition(), message.offset(), message.timestamp()[1], message.key()
    for index, book in enumerate(library.findall("book")):
        columns = values(book, region)
        if columns is not None:
            yield *columns, *place, index


def write(directory, pending):
    columns = [pyarrow.array(column, field.type) for column, field in zip(zip(*pending), SCHEMA)]
    name = os.path.join(directory, f"{uuid.uuid4()}.parquet")
    pyarrow.parquet.write_table(pyarrow.Table.from_arrays(columns, schema=SCHEMA), f"{name}.part", compression="zstd",
                                compression_level=1)
    os.rename(f"{name}.part", name)


def consume(consumer, topic, directory, follows):
    open_partitions = set(consumer.list_topics(topic).topics[topic].partitions)
    pending, oldest = [], None
    while open_partitions or follows:
        for message in consumer.consume(10_000, 0.1):
            if not message.error():
                pending.extend(rows(message))
                oldest = oldest or time.monotonic()
            elif message.error().code() == KafkaError._PARTITION_EOF:
                open_partitions.discard(message.partition())
            else:
                sys.exit(f"reading {topic}: {message.error()}")
        is_old = follows and oldest and time.monotonic() - oldest > AGE_OF_FILE
        if pending and (len(pending) >= ROWS_OF_FILE or is_old or not (open_partitions or follows)):
            write(directory, pending)
            consumer.commit(asynchronous=False)
            pending, oldest = [], None


def main():
    bootstrap, topic, directory, mode = sys.argv[1:]
    directory = os.path.join(directory, "rows")
    os.makedirs(directory)
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": f"consumer-{uuid.uuid4()}",
                         "auto.offset.reset": "earliest", "enable.auto.commit": False, "enable.partition.eof": True})
    consumer.subscribe([topic])
    consume(consumer, topic, directory, mode == "follow")
    consumer.close()


if __name__ == "__main__":
    main()
