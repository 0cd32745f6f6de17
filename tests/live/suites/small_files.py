"""Hourly runs over many values of the partition column, few large ones and many small; see suites/small-files."""

import collections
import json
import math
import random
import uuid

import duckdb

import manifest
import oracle
import topics
import zone_log
from suite import HDFS_URL, SEED, main, require, run, say, size
from worker import end_all, run_to_end

TOPIC = "small-files"
PARTITIONS = 4
HOURS = size(48, 8)
VALUES = size(1_000, 50)
# Rows of an hour beside one of each value.
ROWS = 20_000
BOOKS_OF_A_MESSAGE = 5
TARGET = 1 << 20
# What the merge rule leaves: three small files wait for the fourth.
SLACK = 3
RAW, PROCESSED = "/raw_zone/small-files", "/processed_zone/small-files"
COLUMNS = {"columns": [{"name": "record_id", "path": "record_id"}, {"name": "title", "path": "title"},
                       {"name": "category", "path": "category"}]}


class Shelves:
    """Books by category; the n-th category has about 1/n of the first one's, and each has one every hour."""

    def __init__(self):
        self.random = random.Random(SEED)
        self.weights = [1 / (rank + 1) for rank in range(VALUES)]
        self.rows = collections.Counter()

    def send(self):
        categories = [*range(VALUES), *self.random.choices(range(VALUES), self.weights, k=ROWS)]
        self.random.shuffle(categories)
        self.rows.update(categories)
        topics.send(TOPIC, [(number % PARTITIONS, None, self.message(categories[first:first + BOOKS_OF_A_MESSAGE]))
                            for number, first in enumerate(range(0, len(categories), BOOKS_OF_A_MESSAGE))])

    def message(self, categories):
        return f"<library>{''.join(map(self.book, categories))}</library>".encode()

    def book(self, category):
        # A title that does not compress: files grow with their rows.
        return (f"<book><record_id>{uuid.UUID(int=self.random.getrandbits(128))}</record_id>"
                f"<title>{self.random.getrandbits(512):x}</title><category>c{category}</category></book>")


def files_by_directory(zone):
    """Lengths of the published files by partition directory, as HDFS lists them."""
    found = {}
    for entry in zone_log.HDFS.list(zone):
        if "=" in entry["pathSuffix"]:
            listed = zone_log.HDFS.list(f"{zone}/{entry['pathSuffix']}")
            found[entry["pathSuffix"]] = [file["length"] for file in listed if file["type"] == "FILE"]
    return found


def ideal(lengths):
    return math.ceil(sum(lengths) / TARGET)


def check_files(found, appended):
    """Each directory has at most three files more than its bytes need, the zone at most twice as many and one each."""
    files, ideals = sum(map(len, found.values())), sum(map(ideal, found.values()))
    say(f"{appended} files if each hour only added its own, {files} now, {ideals} of {TARGET} bytes would do, "
        f"in {len(found)} directories; the largest directory has {max(map(len, found.values()))} "
        f"of {max(map(ideal, found.values()))}")
    for directory, lengths in found.items():
        require(len(lengths) <= ideal(lengths) + SLACK,
                f"{directory} has {len(lengths)} files of {sum(lengths)} bytes: {sorted(lengths)}")
    require(files <= 2 * ideals + len(found), f"{files} files are more than twice {ideals} and {len(found)}")


def check_rows(shelves):
    with oracle.fetched(HDFS_URL + PROCESSED, zone_log.HDFS) as directory:
        counted = duckdb.sql(f"SELECT category, count(*), count(DISTINCT record_id) FROM read_parquet("
                             f"'{directory}/**/*.parquet', hive_partitioning = true) GROUP BY category").fetchall()
    expected = {(f"c{category}", rows, rows) for category, rows in shelves.rows.items()}
    require(set(counted) == expected, f"DuckDB finds other rows, for example {list(set(counted) ^ expected)[:3]}")
    say(f"DuckDB: {sum(shelves.rows.values())} rows in {len(counted)} categories, each once")


def work():
    topics.create(TOPIC, PARTITIONS)
    processed = {"partitionBy": [{"column": "category", "transform": "Identity"}],
                 "files": {"targetSize": str(TARGET), "mergeBelow": None}}
    document = manifest.write(
        manifest.ingest("small-files", TOPIC, HDFS_URL + RAW, record=COLUMNS),
        manifest.compaction("small-files", HDFS_URL + PROCESSED, processed=processed, deduplication={"orderBy": None}))
    shelves, appended = Shelves(), 0
    for hour in range(HOURS):
        shelves.send()
        run_to_end(document, "--attach")
        report = json.loads(run("gristmill", "compact", "-f", document, "--json"))
        appended += VALUES
        say(f"hour {hour}: {report['files']}")
    check_files(files_by_directory(PROCESSED), appended)
    check_rows(shelves)


if __name__ == "__main__":
    try:
        main(work)
    finally:
        end_all()
