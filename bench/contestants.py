"""Who takes part in the ingest benchmark: how each is started, and where its committed rows are."""

import glob
import itertools
import json
import os
import pathlib
import re
import shutil
import sys
import urllib.request

import manifest
from measure import CORES, took
from suite import BOOTSTRAP, HDFS_URL, ROOT, TMP, run
from zone_log import HDFS

PEERS = pathlib.Path(ROOT) / "bench" / "peers"
# Spark's default for a driver, and the same for Flink. With 4 GiB Spark took the same CPU and twice the memory.
JAVA_HEAP = "-Xmx1g"
# How long a row may wait where rows shall be seen soon.
SOON = "1s"
ADMIN = "127.0.0.1:18080"

_numbers = itertools.count(1)


class Contestant:
    """One program, in a folder of its own for each start."""

    name = version = None
    environment = {}

    def prepare(self):
        """A fresh place for rows."""
        self.place = pathlib.Path(TMP) / f"{self.name}-{next(_numbers)}"
        self.place.mkdir()

    def command(self, topic, follows):
        """`follows` goes on for ever and shows rows after a second; else all that is there is read, then it ends."""
        raise NotImplementedError

    def shows_a_row(self):
        """Whether a committed file is visible at its final name."""
        return bool(self.files())

    def files(self):
        """Committed files at their final names, on this machine."""
        return list((self.place / "rows").glob("*.parquet"))

    def store_wait(self):
        """Seconds that a program which follows has waited for its store so far, if it tells."""
        return None

    def clean(self):
        shutil.rmtree(self.place, ignore_errors=True)


class Gristmill(Contestant):
    """RAW on file://."""

    name = "gristmill"

    def __init__(self):
        self.version = run("gristmill", "--version").split()[-1]

    def prepare(self):
        super().prepare()
        self.zone = self.place / "books" / "raw"

    def document(self, topic, follows, path="file:///raw"):
        return manifest.write(manifest.ingest("books", topic, path, max_age=SOON if follows else "5m"),
                              file=f"{self.place.name}.yaml")

    def command(self, topic, follows):
        return ["gristmill", "ingest", "-f", self.document(topic, follows), "--local", str(self.place),
                *until(follows)]

    def store_wait(self):
        with urllib.request.urlopen(f"http://{ADMIN}/metrics", timeout=30) as answer:
            return float(re.search(r"^gristmill_ingest_store_wait_seconds_total\S* (\S+)", answer.read().decode(), re.M)[1])

    def files(self):
        return [pathlib.Path(path) for path in glob.glob(f"{self.zone}/ingest_date=*/**/*.parquet", recursive=True)]


def until(follows):
    return ["--admin-addr", ADMIN] if follows else ["--until-caught-up"]


class GristmillOnHdfs(Gristmill):
    """RAW on hdfs://, one NameNode and one DataNode."""

    name = "gristmill-hdfs"

    def prepare(self):
        super().prepare()
        self.path = f"/raw_zone/{self.place.name}"
        self.zone = self.place / "fetched"

    def command(self, topic, follows):
        # A consumer group of its own: the group of a name belongs to one zone.
        document = manifest.ingest(self.place.name, topic, HDFS_URL + self.path, max_age=SOON if follows else "5m")
        path = manifest.write(document, file=f"{self.place.name}.yaml")
        return ["gristmill", "ingest", "-f", path, "--attach", *until(follows)]

    def shows_a_row(self):
        days = [entry["pathSuffix"] for entry in HDFS.list(self.path)]
        return any(path.endswith(".parquet") for day in days if day.startswith("ingest_date=")
                   for path in HDFS.files(f"{self.path}/{day}"))

    def files(self):
        if not self.zone.exists():
            HDFS.fs("-get", self.path, str(self.zone))
        return super().files()

    def clean(self):
        super().clean()
        for path in (self.path, f"{self.path}_rejected"):
            HDFS.ask(path, "DELETE", "DELETE", recursive="true", **{"user.name": "etl"})


class Spark(Contestant):
    name = "spark"
    # Names are asked of nobody: there is no network but this machine.
    environment = {"SPARK_LOCAL_IP": "127.0.0.1"}

    def __init__(self):
        self.version = installed("pyspark")

    def command(self, topic, follows):
        return [sys.executable, str(PEERS / "spark.py"), BOOTSTRAP, topic, str(self.place), mode(follows)]

    def shows_a_row(self):
        """A file counts once the sink's log names it."""
        logs = [path for path in (self.place / "rows" / "_spark_metadata").glob("*") if path.name.isdigit()]
        return any('"action":"add"' in log.read_text() for log in logs)


class Flink(Contestant):
    name = "flink"

    def __init__(self):
        self.jars = os.path.join(os.environ["PEERS_HOME"], "flink", "jars")
        self.classes = pathlib.Path(TMP) / "flink-classes"
        run("javac", "-d", str(self.classes), "-cp", f"{self.jars}/*", str(PEERS / "FlinkIngest.java"))
        core = glob.glob(f"{self.jars}/flink-core-[0-9]*.jar")[0]
        self.version = pathlib.Path(core).stem.rsplit("-", 1)[1]

    def command(self, topic, follows):
        return ["java", JAVA_HEAP, "--add-opens=java.base/java.util=ALL-UNNAMED", "--add-opens=java.base/java.lang=ALL-UNNAMED",
                "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp", f"{self.classes}:{self.jars}/*", "FlinkIngest",
                BOOTSTRAP, topic, str(self.place), mode(follows), str(CORES)]

    def files(self):
        # A folder an hour.
        return [path for path in (self.place / "rows").glob("*/*.parquet") if not path.name.startswith(".")]


class Python(Contestant):
    """The hand-written consumer."""

    name = "python"

    def __init__(self):
        self.version = ", ".join(f"{each} {installed(each)}" for each in ("confluent-kafka", "lxml", "pyarrow"))

    def command(self, topic, follows):
        return [sys.executable, str(PEERS / "consumer.py"), BOOTSTRAP, topic, str(self.place), mode(follows)]


def mode(follows):
    return "follow" if follows else "drain"


def installed(package):
    return run(sys.executable, "-c", f"import importlib.metadata as m; print(m.version('{package}'))").strip()


ALL = {each.name: each for each in (Gristmill, GristmillOnHdfs, Spark, Flink, Python)}


def rows_of(files):
    """What the files hold: rows, and a digest of every row's columns and place, in any order. DuckDB reads them in a
    process of its own, since whoever measures stays small."""
    script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "rows.py")
    listing = os.path.join(TMP, "files.json")
    with open(listing, "w", encoding="utf-8") as out:
        json.dump([str(path) for path in files], out)
    return json.loads(took([sys.executable, script, listing])["printed"])
