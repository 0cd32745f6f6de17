"""A zone on a disk that fills up: said clearly, nothing half-visible, and it goes on when there is room; see suites/outage.

Runs in a mount namespace of its own, so that the small disk is gone with the process, whatever ends it.
"""

import os
import subprocess

import manifest
import oracle
import topics
from suite import SEED, TMP, main, require, say, size, wait
from worker import Worker, end_all, run_to_end

TOPIC = "disk"
PARTITIONS = 2
MESSAGES = size(60_000, 20_000)
DISK = os.path.join(TMP, "disk")
ZONE = f"file://{DISK}/books"


def mount(megabytes, *options):
    subprocess.run(["mount", "-t", "tmpfs", "-o", ",".join([f"size={megabytes}m", *options]), "none", DISK], check=True)


def work():
    os.makedirs(DISK, exist_ok=True)
    mount(1)
    topics.create(TOPIC, PARTITIONS)
    topics.books(TOPIC, MESSAGES, SEED)
    document = manifest.write(manifest.ingest("disk", TOPIC, ZONE, max_age="1s"))
    worker = Worker(document, "--until-caught-up", "--wait", "5m")
    told = wait("the worker says that the disk is full", lambda: complaint(worker))
    say(f"it says: {told}")
    messages, _ = oracle.read_topic(TOPIC)
    expected = oracle.Expected(messages)
    visible = check_visible(expected)
    say(f"{visible} committed rows are visible of {len(expected.rows)}, and nothing else")
    mount(512, "remount")
    code = worker.join()
    if code != 0:
        say(f"the worker had ended with exit {code}; another one goes on")
        require(code == 5, f"a full disk is exit 5, not {code}: {worker.last_words()}")
        run_to_end(document)
    oracle.check_ingest(ZONE, TOPIC, expected)


def complaint(worker):
    """What it says once it is held up by the disk, running or at its end."""
    if not worker.is_alive():
        return worker.last_word()
    status = worker.status()
    return status.get("phase") == "StoreUnavailable" and status["message"]


def check_visible(expected):
    """Rows that a plain listing shows now: each expected, none twice."""
    files = oracle.parquet_files(f"{DISK}/books", "**/*.parquet")
    seen = set()
    for file, place in oracle.read_rows(files, ["kafka_partition", "kafka_offset", "record_index"]):
        require(place in expected.rows and place not in seen, f"{place} is not expected, or twice: {file}")
        seen.add(place)
    return len(seen)


if __name__ == "__main__":
    try:
        main(work)
    finally:
        end_all()
