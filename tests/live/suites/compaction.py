"""Ten hourly runs of the compaction, and after each what a map of all rows says; a run that processes share; see
suites/compaction."""

import collections
import datetime
import json
import os
import random
import subprocess
import time
import urllib.parse
import uuid

import duckdb

import lister
import manifest
import oracle
import topics
import zone_log
from suite import HDFS_URL, SEED, TMP, chosen, gristmill_json, main, require, run, say, size
from worker import end_all, run_and_kill, run_to_end

TOPIC = "compaction"
PARTITIONS = 4
HOURS = 10
# Messages of an hour, of two books each.
MESSAGES = size(3_000, 300)
KILLS = size(20, 3)
SHARDS, KILLED = 3, 1
REWIND, NEW_COLUMN = 5, 8
# Hours in which the StreamIngest has no price.
DROPPED = range(3, 7)
RAW, PROCESSED = "/raw_zone/compaction", "/processed_zone/compaction"
PUBLISHER = {"name": "publisher", "path": "publisher"}
# All columns that files have or have had.
NAMES = [column["name"] for column in [*manifest.RECORD["columns"], PUBLISHER] if column["name"] != "publication_year"]
NOW = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
# Late books are older than that by far, the others newer by far: what counts is the limit, not the second.
LATENESS = {"column": "updated_at", "allowed": "100d", "policy": "Merge"}

# A row that takes part: what decides, where it came from, and what it says.
Row = collections.namedtuple("Row", "order source generation values")


class Library:
    """Sends the books of an hour: new ones, and others that were there in this hour or in an earlier one."""

    def __init__(self):
        self.random = random.Random(SEED)
        self.ids = []

    def send(self, hour):
        topics.send(TOPIC, [(self.random.randrange(PARTITIONS), None, self.message(hour)) for _ in range(MESSAGES)])

    def message(self, hour):
        return f"<library>{self.book(hour)}{self.book(hour)}</library>".encode()

    def book(self, hour):
        if self.ids and self.random.random() < 0.4:
            # Also of this hour; as often with an older date as with a newer one, and in another year.
            identity = self.random.choice(self.ids[-200:] if self.random.random() < 0.5 else self.ids)
        else:
            identity = str(uuid.UUID(int=self.random.getrandbits(128)))
            self.ids.append(identity)
        late = self.random.random() < 0.1
        updated = NOW + datetime.timedelta(hours=hour - (5_000 if late else 0), seconds=self.random.randrange(7_200))
        # Few titles and prices: some duplicates are equal in all columns.
        return (f"<book><record_id>{identity}</record_id><title>Title {self.random.randrange(3)}</title>"
                f"<publication_year>{self.random.choice(('', *range(2019, 2026)))}</publication_year>"
                f"<price>{self.random.randrange(1, 4)}.50</price><publisher>House {self.random.randrange(5)}</publisher>"
                f"<updated_at>{updated.isoformat()}</updated_at></book>")


class Zone:
    """The Processed zone as a map, and what was read of the topic."""

    def __init__(self):
        self.rows = {}
        self.ends = dict.fromkeys(range(PARTITIONS), 0)
        self.generation = 0

    def delta(self, record, topic_id):
        """Rows of the messages since the last run, by key."""
        messages, ends = oracle.read_topic(TOPIC)
        fresh = {place: message for place, message in messages.items() if place[1] >= self.ends[place[0]]}
        self.ends = ends
        expected = oracle.Expected(fresh, record)
        rows = collections.defaultdict(list)
        for source, values in expected.rows.items():
            values = dict(zip(expected.rules.names, values))
            updated = values["updated_at"]
            order = (updated is not None, updated or 0, fresh[source[:2]].timestamp, topic_id, *source)
            rows[values["record_id"]].append(Row(order, source, self.generation, values))
        return rows

    def compact(self, delta, names):
        """A row of one source gives way to its later reading; then the greatest wins, unless it says nothing new in the
        columns of today. What a row of the zone has in a dropped column stays until another one takes its place."""
        for key, rows in delta.items():
            known = self.rows.get(key)
            rows = rows + [known] if known else rows
            newest = {}
            for row in rows:
                newest[row.source] = max(newest.get(row.source, 0), row.generation)
            best = max((row for row in rows if row.generation == newest[row.source]), key=lambda row: row.order)
            if known is None or any(whole(best.values)[name] != whole(known.values)[name] for name in names):
                self.rows[key] = best


def whole(values):
    """A row with null for the columns that it was written without."""
    return {"publisher": None, "price": None, **values}


def compact(document):
    return json.loads(run("gristmill", "compact", "-f", document, "--json"))


def kill_some(document, kills, randomness, seconds):
    """Runs that are ended with SIGKILL at any moment of the time that a run takes."""
    for _ in range(kills):
        ended = run_and_kill(["gristmill", "compact", "-f", document], randomness.uniform(0, seconds))
        say(f"killed a compaction{'' if ended is None else f', which had ended with {ended}'}")


def check(zone, names):
    """PyArrow and DuckDB find exactly the expected rows, each in the directory of its year, and the listing is the log."""
    with oracle.fetched(HDFS_URL + PROCESSED, zone_log.HDFS) as directory:
        files = oracle.parquet_files(directory, "publication_year=*/**/*.parquet")
        found, wrong = {}, []
        for file in files:
            step = next(step for step in file.split(os.sep) if step.startswith("publication_year="))
            year = urllib.parse.unquote(step.split("=", 1)[1])
            held = [name for name in names if name in oracle.pq.read_schema(file).names]
            for _, row in oracle.read_rows([file], held):
                values = whole(dict(zip(held, row)))
                values["publication_year"] = None if year == "__HIVE_DEFAULT_PARTITION__" else int(year)
                if values["record_id"] in found:
                    wrong.append((values["record_id"], "twice", file))
                found[values["record_id"]] = values
        wrong += [(key, found[key], whole(row.values)) for key, row in zone.rows.items()
                  if key in found and found[key] != whole(row.values)]
        missing, more = zone.rows.keys() - found.keys(), found.keys() - zone.rows.keys()
        if wrong or missing or more:
            oracle.fail(f"Processed: {len(wrong)} wrong, {len(missing)} missing, {len(more)} not expected", wrong)
        listed = {os.path.relpath(file, directory) for file in files}
        require(listed == live(directory), f"the listing and the log differ: {sorted(listed ^ live(directory))[:5]}")
        counted = duckdb.sql("SELECT count(*), count(DISTINCT record_id), count(price) FROM read_parquet("
                             f"'{directory}/**/*.parquet', hive_partitioning = true, union_by_name = true)").fetchall()
        priced = sum(whole(row.values)["price"] is not None for row in zone.rows.values())
        expected = [(len(zone.rows), len(zone.rows), priced)]
        require(counted == expected, f"DuckDB counts {counted} rows, keys and prices, expected {expected}")
        return listed


def live(directory):
    """Files that the log says are live."""
    files = set()
    for body in zone_log.entries(directory).values():
        files |= {file["path"] for file in body.get("added", ())}
        files -= {file["path"] for file in body.get("removed", ())}
    return files


def balanced(rows):
    return rows["read"] == sum(rows[name] for name in ("duplicate_in_delta", "duplicate_in_zone", "rejected", "written"))


def documents(hour):
    """The resources as they are in an hour."""
    columns = [column for column in manifest.RECORD["columns"] if column["name"] != "price" or hour not in DROPPED]
    record = {**manifest.RECORD, "columns": columns + ([PUBLISHER] if hour >= NEW_COLUMN else [])}
    rewind = {"rewind": {"nonce": "again", "position": "Earliest"}} if hour == REWIND else {}
    ingest = manifest.ingest("compaction", TOPIC, HDFS_URL + RAW, record=record, **rewind)
    compaction = manifest.compaction("compaction", HDFS_URL + PROCESSED, lateness=LATENESS)
    return manifest.write(ingest, compaction), record


def topic_id():
    """Kafka's id of the topic, as RAW's genesis has it."""
    log = f"{RAW}/_log"
    folder = next(entry["pathSuffix"] for entry in zone_log.HDFS.list(log) if entry["type"] == "DIRECTORY")
    return zone_log.HDFS.ask(f"{log}/{folder}/{zone_log.slot(0)}", "OPEN")["topicId"]


def hours():
    """Ten runs, one after the other."""
    topics.create(TOPIC, PARTITIONS)
    library, zone, randomness = Library(), Zone(), random.Random(SEED)
    files, seconds = set(), 2.0
    reader = lister.Lister(PROCESSED)
    for hour in range(HOURS):
        document, record = documents(hour)
        if hour == REWIND:
            # Nothing new: all that was read is read again.
            zone.generation, zone.ends = 1, dict.fromkeys(range(PARTITIONS), 0)
        else:
            library.send(hour)
        run_to_end(document, "--attach")
        kill_some(document, KILLS * (hour + 1) // HOURS - KILLS * hour // HOURS, randomness, seconds)
        delta = zone.delta(record, topic_id())
        begin = time.monotonic()
        report = compact(document)
        seconds = max(seconds, time.monotonic() - begin)
        changed = dict(zone.rows)
        zone.compact(delta, [column["name"] for column in record["columns"]])
        before, files = files, check(zone, NAMES)
        rows = report["rows"]
        say(f"hour {hour}: {report['result']}, {rows}, {len(zone.rows)} rows in {len(files)} files")
        require(balanced(rows), f"hour {hour}: the rows do not add up: {rows}")
        if report["result"] == "succeeded":
            # Before the first run nobody knows how far the zone has come.
            late = sum(row.values["updated_at"] < NOW - datetime.timedelta(days=100) for each in delta.values() for row in each)
            require(rows["late"] == (late if hour else 0), f"hour {hour}: {rows['late']} rows are late, expected {late}")
        if hour == REWIND:
            same = zone.rows == changed
            require(not same or files == before, "a rewind over rows that change nothing has rewritten files")
        again = compact(document)
        require(again["result"] == "nothing_new", f"a second run of hour {hour} has found {again}")
    with oracle.fetched(HDFS_URL + PROCESSED, zone_log.HDFS) as directory:
        reader.end(zone_log.entries(directory))
    runs = gristmill_json("inspect", HDFS_URL + PROCESSED, "--user", "etl")["runs"]
    say(f"{len(runs)} runs in the ledger")


def shards():
    """Three processes at once compact parts of one zone, one of them is killed and run again; a single run over all fills
    another zone from the same RAW zone. Both hold the same rows."""
    topic, raw = "compaction-shards", "/raw_zone/compaction-shards"
    topics.create(topic, PARTITIONS)
    topics.books(topic, size(200_000, 20_000), SEED)
    ingest = manifest.ingest("sharded", topic, HDFS_URL + raw)
    one, three = (f"/processed_zone/{name}" for name in ("compaction-one", "compaction-three"))
    whole, parts = (manifest.write(ingest, compaction_of(path), file=f"{path[1:].replace('/', '-')}.yaml")
                    for path in (one, three))
    run_to_end(whole, "--attach")
    begin = time.monotonic()
    report = compact(whole)
    seconds = time.monotonic() - begin
    require(report["cost"]["delta_bytes"] > 0 and report["cost"]["cpu_seconds"] > 0, f"the run tells no cost: {report}")

    processes = [shard(parts, index) for index in range(SHARDS)]
    time.sleep(random.Random(SEED).uniform(0, seconds / 2))
    processes[KILLED].kill()
    codes = [process.wait() for process in processes]
    say(f"shards ended with {codes}, the second by SIGKILL")
    require([code for index, code in enumerate(codes) if index != KILLED] == [0] * (SHARDS - 1), f"exit codes {codes}")
    code = shard(parts, KILLED).wait()
    require(code == 0, f"the shard that was killed ended with {code} when it was run again")

    again = compact(parts)
    require(again["result"] == "nothing_new", f"a run over all has found {again} after all shards")
    expected, found = rows_of(one), rows_of(three)
    require(len(expected) > 0 and found == expected,
            f"{len(found)} rows by shards, {len(expected)} by one run; first differences "
            f"{sorted(set(found) ^ set(expected), key=str)[:3]}")
    runs = gristmill_json("inspect", HDFS_URL + three, "--user", "etl")["runs"]
    covered = sorted((entry["buckets"]["first"], entry["buckets"]["last"]) for entry in runs)
    require(covered == [(0, 0), (1, 1), (2, 3)], f"the runs were for buckets {covered}")
    say(f"{len(found)} rows by {SHARDS} shards are those of one run")


def compaction_of(path):
    """An HourlyCompaction of the StreamIngest for the shards, with a zone of its own."""
    return manifest.compaction("sharded", HDFS_URL + path, processed={"buckets": 4})


def shard(document, index):
    """A process that compacts a part of the buckets."""
    with open(os.path.join(TMP, f"shard-{index}.log"), "a", encoding="utf-8") as log:
        return subprocess.Popen(["gristmill", "compact", "-f", document, "--shard", f"{index}/{SHARDS}"],
                                stdout=log, stderr=log, stdin=subprocess.DEVNULL)


def rows_of(path):
    """All rows of a zone with the year that their directory says, in order; a key stands there once."""
    names = [name for name in NAMES if name != "publisher"]
    with oracle.fetched(HDFS_URL + path, zone_log.HDFS) as directory:
        files = oracle.parquet_files(directory, "publication_year=*/**/*.parquet")
        rows = [(next(step for step in file.split(os.sep) if step.startswith("publication_year=")), *row)
                for file, row in oracle.read_rows(files, names)]
    keys = {row[1 + names.index("record_id")] for row in rows}
    require(len(keys) == len(rows), f"{path} has {len(rows)} rows of {len(keys)} keys")
    return sorted(rows, key=str)


def work():
    for part in chosen(hours, shards):
        part()


if __name__ == "__main__":
    try:
        main(work)
    finally:
        end_all()
