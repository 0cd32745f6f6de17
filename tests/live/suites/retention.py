"""RAW's files leave for an archive, behind the slower of two compactions and through kills; see suites/retention."""

import collections
import hashlib
import json
import os
import random
import shutil
import time

import manifest
import oracle
import topics
import zone_log
from suite import HDFS_URL, SEED, TMP, main, require, run, say, size
from worker import end_all, run_and_kill, run_to_end

TOPIC = "retention"
PARTITIONS = 4
# Messages of each of two rounds, of one to five books each.
MESSAGES = size(20_000, 2_000)
# At the most: each goes on with the copies that those before it have made.
KILLS = size(20, 3)
# Few a file, so that there are files to be killed between.
MESSAGES_OF_A_FILE = 300
RAW, ARCHIVE = "/raw_zone/retention", "/raw_zone/retention-archive"
PLACE = ["kafka_partition", "kafka_offset", "record_index"]
RETENTION = {"after": "1s", "action": "Archive", "archivePath": HDFS_URL + ARCHIVE}


def documents():
    """The ingest without retention, so that none of its workers is faster; with it; and two compactions of its zone."""
    raw = {"files": {"maxRecords": MESSAGES_OF_A_FILE}}
    ingest = manifest.ingest("retention", TOPIC, HDFS_URL + RAW, raw=raw)
    written = [manifest.write(ingest, file="ingest.yaml"),
               manifest.write(manifest.merged(ingest, {"spec": {"raw": {"retention": RETENTION}}}), file="retention.yaml")]
    for name in ("fast", "slow"):
        compaction = manifest.compaction("retention", f"{HDFS_URL}/processed_zone/retention-{name}")
        written.append(manifest.write(ingest, manifest.merged(compaction, {"metadata": {"name": name}}), file=f"{name}.yaml"))
    return written


def retention(document, *arguments):
    """What a run of the command says at its end."""
    return json.loads(run("gristmill", "retention", "-f", document, "--json", *arguments).splitlines()[-1])


class Copies:
    """RAW and its archive on this machine."""

    def __enter__(self):
        self.folder = os.path.join(TMP, "copies")
        shutil.rmtree(self.folder, ignore_errors=True)
        for path in (RAW, ARCHIVE):
            os.makedirs(os.path.dirname(self.folder + path), exist_ok=True)
            if zone_log.HDFS.list(path):
                zone_log.HDFS.fs("-get", path, self.folder + path)
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.folder, ignore_errors=True)

    def archived(self):
        """Digests of the files in the archive; each is called by its own."""
        digests = set()
        for file in oracle.parquet_files(self.folder + ARCHIVE, "ingest_date=*/**/*.parquet"):
            with open(file, "rb") as content:
                digest = hashlib.sha256(content.read()).hexdigest()
            require(os.path.basename(file) == f"{digest}.parquet", f"the archive holds {digest} under the name {file}")
            digests.add(digest)
        return digests

    def check_none_is_lost(self):
        """Each file that an entry adds is live and published, or has a copy that equals it."""
        live, removed = {}, {}
        for body in zone_log.entries(self.folder + RAW).values():
            live.update({file["path"]: file["digest"].removeprefix("sha256:") for file in body.get("added", ()) if file["zone"] == "Raw"})
            for file in body.get("files", ()) if body["kind"] == "Remove" else ():
                removed[file["path"]] = live.pop(file["path"])
        lost = set(removed.values()) - self.archived()
        require(not lost, f"{len(lost)} files have left RAW without a copy: {sorted(lost)[:3]}")
        missing = [path for path in live if not os.path.exists(os.path.join(self.folder + RAW, path))]
        require(not missing, f"{len(missing)} files are live and not there: {missing[:3]}")
        return len(live), len(removed)

    def rows(self, root):
        files = oracle.parquet_files(self.folder + root, "ingest_date=*/**/*.parquet")
        return collections.Counter(row for _, row in oracle.read_rows(files, PLACE))


def land(ingest, seed):
    topics.books(TOPIC, MESSAGES, seed)
    run_to_end(ingest, "--attach")


def kill_some(document, randomness, seconds):
    for number in range(KILLS):
        ended = run_and_kill(["gristmill", "retention", "-f", document], randomness.uniform(0, seconds))
        with Copies() as copies:
            live, removed = copies.check_none_is_lost()
            say(f"kill {number + 1} of {KILLS}{'' if ended is None else f' (it had ended with {ended})'}: "
                f"{live} files live, {removed} have left, {len(copies.archived())} copies")
        if not live:
            # A run was done before it was killed: there is nothing more to be killed in.
            return


def work():
    topics.create(TOPIC, PARTITIONS)
    ingest, document, fast, slow = documents()
    land(ingest, SEED)
    for compaction in (fast, slow):
        run("gristmill", "compact", "-f", compaction)
    first = set(oracle.Expected(oracle.read_topic(TOPIC)[0]).rows)
    land(ingest, SEED + 1)
    run("gristmill", "compact", "-f", fast)
    expected = set(oracle.Expected(oracle.read_topic(TOPIC)[0]).rows)
    # The youngest file has the age that it must have.
    time.sleep(2)
    begin = time.monotonic()
    totals = retention(document)
    seconds = time.monotonic() - begin
    say(f"behind the slower compaction, {seconds:.1f} s: {totals}")
    require(totals["files"] and totals["held_files"] and "slow" in totals["held_by"], "nothing has left, or nothing was held")
    with Copies() as copies:
        copies.check_none_is_lost()
        archived, left = copies.rows(ARCHIVE), copies.rows(RAW)
    require(set(archived) == first, f"the archive has {len(archived)} rows, and the slower compaction has read {len(first)}")
    require(set(left) == expected - first, f"RAW has {len(left)} rows, expected {len(expected - first)}")
    run("gristmill", "compact", "-f", slow)
    kill_some(document, random.Random(SEED), seconds)
    say(f"what is left: {retention(document)}")
    again = retention(document)
    require(again["files"] == 0, f"a second run has found {again}")
    with Copies() as copies:
        live, removed = copies.check_none_is_lost()
        archived, left = copies.rows(ARCHIVE), copies.rows(RAW)
    require(not live and not left, f"{live} files and {len(left)} rows are still in RAW")
    twice = sum(count > 1 for count in archived.values())
    require(set(archived) == expected and not twice,
            f"the archive has {len(archived)} rows, {twice} of them twice, expected {len(expected)}")
    say(f"{removed} files have left, {len(archived)} rows are in the archive, each once, every copy has the digest of the log")


if __name__ == "__main__":
    try:
        main(work)
    finally:
        end_all()
