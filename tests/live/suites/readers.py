"""What others read in zones that hold staged, retired and rejected files: committed rows, once each."""

import os
import random

import duckdb
import polars
import pyarrow.dataset

import manifest
import oracle
import topics
from suite import HDFS_URL, SEED, TMP, main, require, run, say, size
from worker import end_all, run_to_end
from zone_log import HDFS

TOPIC = "readers"
PARTITIONS = 4
MESSAGES = size(60_000, 6_000)
RAW, PROCESSED = "/raw_zone/readers", "/processed_zone/readers"
PLACE = ["kafka_partition", "kafka_offset", "record_index"]


def fill():
    """Two ingests and two compactions: the second one rewrites files, so that the Processed zone has retired ones."""
    document = manifest.write(manifest.ingest("readers", TOPIC, HDFS_URL + RAW),
                              manifest.compaction("readers", HDFS_URL + PROCESSED), file="readers.yaml")
    topics.create(TOPIC, PARTITIONS)
    topics.books(TOPIC, MESSAGES, SEED)
    land(document)
    known = sorted(oracle.Expected(oracle.read_topic(TOPIC)[0]).keys())
    randomness = random.Random(SEED)
    newer = [randomness.sample(known, 3) for _ in range(MESSAGES // 10)]
    topics.send(TOPIC, [(number % PARTITIONS, *topics.library(randomness, ids=ids, title="A Newer Title", year=2026))
                        for number, ids in enumerate(newer)])
    land(document)


def land(document):
    run_to_end(document, "--attach")
    run("gristmill", "compact", "-f", document)


def leave_garbage():
    """What a crash leaves between closing and appending, and what retention leaves behind: whole Parquet files that
    must not be seen. They are copies of published ones, so that a reader that sees them shows rows twice."""
    file = next(path for path in HDFS.files(RAW) if path.startswith(f"{RAW}/ingest_date="))
    staging, retired = f"{RAW}/_staging/6f1b3a52-58a0-4b8e-8f0e-2b9d3c1a7e55", f"{RAW}/_retired/7"
    for folder in (staging, retired):
        HDFS.ask(folder, "MKDIRS", "PUT", **{"user.name": "etl"})
    HDFS.fs("-cp", file, f"{staging}/7.staged")
    HDFS.fs("-cp", file, f"{retired}/{os.path.basename(file)}.retired")


def duckdb_rows(pattern, columns):
    return duckdb.sql(f"SELECT {', '.join(columns)} FROM read_parquet('{pattern}', hive_partitioning = true)").fetchall()


def pyarrow_rows(directory, columns):
    table = pyarrow.dataset.dataset(directory, format="parquet", partitioning="hive").to_table(columns=columns)
    return list(zip(*(table.column(name).to_pylist() for name in columns)))


def polars_rows(pattern, columns):
    return polars.scan_parquet(pattern, hive_partitioning=True).select(columns).collect().rows()


class Spark:
    """Spark in this process; it reads hdfs:// itself."""

    def __init__(self):
        # Without names to ask: the namespace has no uplink.
        os.environ["SPARK_LOCAL_IP"] = "127.0.0.1"
        from pyspark.sql import SparkSession
        settings = {"spark.driver.host": "127.0.0.1", "spark.ui.enabled": "false", "spark.driver.memory": "1g", "spark.ui.showConsoleProgress": "false",
                    "spark.sql.shuffle.partitions": "2"}
        builder = SparkSession.builder.master("local[2]").appName("readers")
        for name, value in settings.items():
            builder = builder.config(name, value)
        self.session = builder.getOrCreate()
        self.session.sparkContext.setLogLevel("ERROR")

    def rows(self, path, columns):
        return [tuple(row) for row in self.session.read.parquet(HDFS_URL + path).select(*columns).collect()]


def check(reader, rows, expected):
    """Exactly the expected ones, each once."""
    twice = len(rows) - len(set(rows))
    missing, more = len(expected - set(rows)), len(set(rows) - expected)
    say(f"{reader}: {len(rows)} rows")
    require(twice == missing == more == 0, f"{reader}: {twice} rows twice, {missing} missing, {more} not committed")


def check_garbage(directory, endings):
    """The zone does hold what must not be read."""
    names = [name for _, _, files in os.walk(directory) for name in files]
    for ending in endings:
        count = sum(name.endswith(ending) for name in names)
        say(f"files that end in {ending}: {count}")
        require(count, f"{directory} holds no file that ends in {ending}")


def work():
    fill()
    leave_garbage()
    expected = oracle.Expected(oracle.read_topic(TOPIC)[0])
    require(expected.rejects, "there are no rejected rows")
    spark = Spark()
    for zone, columns, wanted, garbage in (
            (RAW, PLACE, set(expected.rows), (".staged", ".retired")),
            (PROCESSED, ["record_id"], {(key,) for key in expected.keys()}, (".retired",))):
        directory = os.path.join(TMP, zone.strip("/").replace("/", "-"))
        HDFS.fs("-get", zone, directory)
        check_garbage(directory, garbage)
        say(f"{zone}: {len(wanted)} rows expected")
        check("DuckDB **/*.parquet", duckdb_rows(f"{directory}/**/*.parquet", columns), wanted)
        check("DuckDB *=*/**/*.parquet", duckdb_rows(f"{directory}/*=*/**/*.parquet", columns), wanted)
        check("PyArrow", pyarrow_rows(directory, columns), wanted)
        check("Polars **/*.parquet", polars_rows(f"{directory}/**/*.parquet", columns), wanted)
        check("Spark", spark.rows(zone, columns), wanted)


if __name__ == "__main__":
    try:
        main(work)
    finally:
        end_all()
