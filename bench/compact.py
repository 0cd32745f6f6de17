#!/usr/bin/env python3
"""The compaction beside DuckDB and Spark, in one run, on one machine; then what only a log makes possible.

bench/compact.py GRISTMILL BENCH_ZONE [DIRECTORY]

Each program is a process of its own, and the kernel says what it and all that it starts took: seconds, CPU seconds of
all threads, and the largest resident memory. Variables, with their defaults:

BENCH_ROWS=6000000      rows of the comparison, in BENCH_FILES=32 files, BENCH_DUPLICATES=10 percent of them repeated keys
BENCH_MEMORY=6Gi        memory of Gristmill in the comparison, in Mi or Gi, so much that nothing is spilled; the others take what
                        they want
BENCH_ROUNDS=3          rounds; the programs take turns, and the middle one of each counts
BENCH_LARGE=60000000    rows of the zone under a limit, 0 to leave it out
BENCH_LIMIT=512Mi       its memory
BENCH_PEERS=duckdb,spark
"""

import hashlib
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import tempfile

from measure import CORES, adopt_orphans, took

ROWS = int(os.environ.get("BENCH_ROWS", 6_000_000))
FILES = int(os.environ.get("BENCH_FILES", 32))
DUPLICATES = int(os.environ.get("BENCH_DUPLICATES", 10))
MEMORY = os.environ.get("BENCH_MEMORY", "6Gi")
ROUNDS = int(os.environ.get("BENCH_ROUNDS", 3))
LARGE = int(os.environ.get("BENCH_LARGE", 60_000_000))
LIMIT = os.environ.get("BENCH_LIMIT", "512Mi")
PEERS = [peer for peer in os.environ.get("BENCH_PEERS", "duckdb,spark").split(",") if peer]
HERE = pathlib.Path(__file__).resolve().parent

# Neither keeps what a Processed zone must have beside the columns, except what decides later duels.
COLUMNS = "record_id, title, author_name, author_country, publication_year, price, updated_at, kafka_topic_id, kafka_partition, kafka_offset, kafka_timestamp, record_index, generation"

DUCKDB = f"""
import duckdb, sys
connection = duckdb.connect()
connection.execute("SET threads = {CORES}")
connection.execute("SET preserve_insertion_order = false")
connection.execute(f'''
    COPY (SELECT {COLUMNS} FROM (
        SELECT *, row_number() OVER (PARTITION BY record_id ORDER BY kafka_timestamp DESC, kafka_partition DESC, kafka_offset DESC) AS n
        FROM read_parquet('{{sys.argv[1]}}/**/*.parquet', hive_partitioning = false)) WHERE n = 1)
    TO '{{sys.argv[2]}}' (FORMAT parquet, COMPRESSION zstd, PARTITION_BY (publication_year))''')
"""

SPARK = f"""
import sys
from pyspark.sql import SparkSession
spark = (SparkSession.builder.master("local[{CORES}]").config("spark.driver.memory", "6g")
    .config("spark.sql.shuffle.partitions", "{CORES * 4}").config("spark.sql.parquet.compression.codec", "zstd")
    .config("spark.ui.enabled", "false").getOrCreate())
spark.sparkContext.setLogLevel("ERROR")
rows = spark.read.option("recursiveFileLookup", "true").parquet(sys.argv[1])
rows = rows.select(*"{COLUMNS}".split(", ")).dropDuplicates(["record_id"])
rows.repartition("publication_year").write.partitionBy("publication_year").parquet(sys.argv[2])
"""


def parquet(directory):
    # A directory that begins with "_" is the zone's own: its log, what is staged and what is retired.
    return sorted(path for path in directory.rglob("*.parquet")
                  if not any(part.startswith("_") for part in path.relative_to(directory).parts))


def line(name, figures, files=()):
    size = sum(path.stat().st_size for path in files) / 2**20
    print(f"  {name:<34}{figures['seconds']:8.2f} s{figures['cpu']:9.2f} CPU s{figures['peak']:8.0f} MiB"
          + (f"{len(files):7} files{size:8.1f} MiB" if files else ""), flush=True)


class Zone:
    """A folder with a RAW zone and a Processed zone."""

    def __init__(self, gristmill, bench_zone, directory):
        self.gristmill, self.bench_zone, self.directory = gristmill, bench_zone, directory
        self.raw, self.processed = directory / "books" / "raw", directory / "books" / "processed"

    def append(self, rows, *options):
        subprocess.run([self.bench_zone, self.directory, str(rows), *map(str, options)], check=True)

    def compact(self, memory):
        return took([self.gristmill, "compact", "-f", HERE / "compact.yaml", "--local", self.directory,
                     "--memory", memory, "--spill-dir", self.directory, "--json"])

    def files(self):
        return {path: path.stat().st_ino for path in parquet(self.processed)}

    def digests(self):
        """Of every data file, by its name."""
        def digest(path):
            with path.open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        return {path: digest(path) for path in parquet(self.processed)}


def compare(zone):
    print(f"{ROWS} rows in {FILES} files, {DUPLICATES} % repeated keys, {CORES} processors, {ROUNDS} rounds", flush=True)
    zone.append(ROWS, "--files", FILES, "--duplicates", DUPLICATES)
    results = {name: [] for name in ["gristmill", *PEERS]}
    written = {}
    for _ in range(ROUNDS):
        for name, figures in results.items():
            output = zone.processed if name == "gristmill" else zone.directory / name
            shutil.rmtree(output, ignore_errors=True)
            if name == "gristmill":
                figures.append(zone.compact(MEMORY))
            else:
                figures.append(took([sys.executable, "-c", {"duckdb": DUCKDB, "spark": SPARK}[name],
                                     str(zone.raw), str(output)]))
            written[name] = parquet(output) if name != "spark" else list(output.rglob("*.parquet"))
            line(name, figures[-1], written[name])
    middle = {name: {key: statistics.median(f[key] for f in figures) for key in ("seconds", "cpu", "peak")}
              for name, figures in results.items()}
    print("the middle of each:")
    for name, figures in middle.items():
        line(name, figures, written[name])
    for name in PEERS:
        seconds, cpu = (middle[name][key] / middle["gristmill"][key] for key in ("seconds", "cpu"))
        print(f"  {name} / gristmill: {seconds:.2f} x the seconds, {cpu:.2f} x the CPU seconds")


def large(zone):
    limit = int(re.match(r"(\d+)Mi$", LIMIT).group(1))
    print(f"{LARGE} rows in a process of {LIMIT}", flush=True)
    zone.append(LARGE, "--files", max(32, LARGE // 1_000_000), "--duplicates", DUPLICATES)
    full = zone.compact(LIMIT)
    line("all of them", full, zone.files())
    expect(full["peak"] <= limit, f"the largest resident memory is at most {limit} MiB")
    part, few, first = LARGE // 100, LARGE // 10_000, LARGE

    zone.append(part, "--first", first, "--files", 4, "--duplicates", 0)
    figures = zone.compact(LIMIT)
    line(f"{part} rows with new keys", figures, zone.files())
    share = figures["seconds"] / full["seconds"]
    expect(share <= 0.10, f"at most 10 % of the seconds of all rows: {share:.1%}")

    zone.append(few, "--first", first + part, "--files", 1, "--duplicates", 0)
    figures = zone.compact(LIMIT)
    line(f"{few} rows with new keys", figures, zone.files())
    looked = re.search(r"row_groups=(\d+) keys_read=(\d+) rows_read=(\d+)", re.sub(r"\x1b\[\d*m", "", figures["log"]))
    row_groups, keys_read, rows_read = map(int, looked.groups())
    print(f"  of {row_groups} row groups of the zone the keys of {keys_read} were read, and whole rows of {rows_read}")
    expect(keys_read < row_groups / 2, "bloom filters keep most of the zone from being read")

    before, digests = zone.files(), zone.digests()
    zone.append(part, "--first", 0, "--files", 4, "--duplicates", DUPLICATES, "--generation", 1)
    figures = zone.compact(LIMIT)
    line(f"a rewind over {part} rows", figures, zone.files())
    expect(zone.files() == before and zone.digests() == digests, "no data file was rewritten, by name, inode and SHA-256")


def expect(holds, sentence):
    print(f"  {'yes' if holds else 'NO'}: {sentence}", flush=True)
    if not holds:
        FAILED.append(sentence)


FAILED = []


def main():
    adopt_orphans()
    gristmill, bench_zone = (str(pathlib.Path(path).resolve()) for path in sys.argv[1:3])
    with tempfile.TemporaryDirectory(prefix="gristmill-bench-", dir=sys.argv[3] if len(sys.argv) > 3 else None) as folder:
        compare(Zone(gristmill, bench_zone, pathlib.Path(folder) / "compare"))
        shutil.rmtree(pathlib.Path(folder) / "compare")
        if LARGE:
            large(Zone(gristmill, bench_zone, pathlib.Path(folder) / "large"))
    sys.exit(1 if FAILED else 0)


if __name__ == "__main__":
    main()
