"""What others read in zones that hold staged, retired and rejected files: committed rows, once each."""

import datetime
import os
import random
import re

import duckdb
import polars
import pyarrow
import pyarrow.dataset

import manifest
import oracle
import topics
from suite import HDFS_URL, ROOT, SEED, TMP, main, require, run, say, size
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


# Values of a column that names directories, and what a reader is to give back: Hive has no name for an empty text.
CODES = {"007": "007", None: None, "a/b 50%": "a/b 50%", "12": "12", "1e5": "1e5", "plain": "plain", "": None}
NUMBERS = {"1": 1, "-5": -5, str(2**63 - 1): 2**63 - 1, None: None}
DAYS = {"2026-11-23": datetime.date(2026, 11, 23), "1999-01-02": datetime.date(1999, 1, 2), None: None}
# A column, its type, its values, and how the guide's lines name that type: to DuckDB, PyArrow and Spark.
PARTITIONED = (("code", "String", CODES, ("VARCHAR", "string", "STRING")),
               ("number", "Int64", NUMBERS, ("BIGINT", "int64", "BIGINT")),
               ("day", "Date", DAYS, ("DATE", "date32", "DATE")))


def guide_lines():
    """The three lines of docs/guide/zones.md that say how partition values are read with their types."""
    with open(os.path.join(ROOT, "docs/guide/zones.md"), encoding="utf-8") as guide:
        section = guide.read().split("## Partition values\n")[1].split("\n## ")[0]
    lines = re.findall(r"```\w+\n(.*?)\n```", section, re.DOTALL)
    require(len(lines) == 3, f"the guide has {len(lines)} lines for partition values, expected 3")
    return lines


def partition_values(spark):
    """Values of directories come back with their types by the guide's lines; by the readers' defaults those that do not
    look like a number."""
    sql, arrow, of_spark = guide_lines()
    for column, column_type, values, (in_duckdb, in_arrow, in_spark) in PARTITIONED:
        directory = fill_by(column, column_type, values)
        expected = sorted(values.values(), key=repr)

        def adapted(line):
            line = line.replace("/tmp/processed", directory).replace("VARCHAR", in_duckdb).replace("pa.string", f"pa.{in_arrow}")
            return line.replace("code STRING", f"code {in_spark}").replace("code", column)

        table = eval(adapted(arrow), {"ds": pyarrow.dataset, "pa": pyarrow}).to_table()
        found = {
            "DuckDB with hive_types": [row[0] for row in duckdb.sql(adapted(sql)).fetchall()],
            "PyArrow with a schema": table.column(column).to_pylist(),
            "Spark with a schema": [row[column] for row in eval(adapted(of_spark), {"spark": spark.session}).collect()],
        }
        for reader, rows in found.items():
            require(sorted(rows, key=repr) == expected, f"{reader}: {column} is {rows}, expected {expected}")
        say(f"{column}: {len(values)} values come back as {column_type} from DuckDB, PyArrow and Spark")
    plain = fill_by("word", "String", {"Zürich 1": "Zürich 1", "a=b": "a=b", None: None})
    words = [row[0] for row in duckdb.sql(f"SELECT word FROM read_parquet('{plain}/**/*.parquet', hive_partitioning = true)").fetchall()]
    words_of_spark = [row["word"] for row in spark.session.read.parquet(plain).collect()]
    words_of_arrow = [row[0] for row in pyarrow_rows(plain, ["word"])]
    for rows in (words, words_of_spark, words_of_arrow):
        require(sorted(rows, key=repr) == sorted(["Zürich 1", "a=b", None], key=repr), f"by default: {rows}")


def fill_by(column, column_type, values):
    """A Processed zone on this machine with a row of each value, partitioned by it; its directory."""
    topic, root = topics.create(f"{TOPIC}-{column}"), os.path.join(TMP, column)
    record = {"columns": [{"name": "record_id", "path": "record_id"}, {"name": column, "path": column, "type": column_type}]}
    blocks = {"processed": {"partitionBy": [{"column": column, "transform": "Identity"}]}, "deduplication": {"orderBy": None}}
    document = manifest.write(manifest.ingest(column, topic, f"file://{root}/raw", record=record),
                              manifest.compaction(column, f"file://{root}/processed", **blocks), file=f"{column}.yaml")
    books = (f"<book><record_id>{number}</record_id>"
             + ("" if value is None else f"<{column}>{value}</{column}>") + "</book>" for number, value in enumerate(values))
    topics.send(topic, [(0, None, f"<library>{''.join(books)}</library>".encode())])
    land(document)
    return f"{root}/processed"


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
    partition_values(spark)


if __name__ == "__main__":
    try:
        main(work)
    finally:
        end_all()
