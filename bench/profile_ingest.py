"""Where the CPU time of an ingest goes: a table by stage, as Markdown. tests/live/suites/profile-ingest starts the broker.

A whole worker on file:// that catches up with a topic; samples come from `perf`, see stages.py. Variables, with their defaults:

BENCH_MESSAGES=600000   messages of the topic, of about 1 kB and three records each
"""

import os
import pathlib

import manifest
import stages
from suite import BOOTSTRAP, SEED, TMP, gristmill_json, main

MESSAGES = int(os.environ.get("BENCH_MESSAGES", 600_000))
TOPIC = "profile"

STAGES = [
    ("compress pages", r"ZSTD_|HUF_|HIST_"),
    ("digest of the file", r"sha2::"),
    ("dictionaries", r"Interner"),
    ("encode columns, without dictionaries", r"ParquetFile::|ArrowWriter|arrow_writer|ColumnWriter|encodings::"),
    ("markup: tags, names, paths, texts", r"Staging::read|Source::read|xml::"),
    ("values: types, rules", r"Typing::"),
    ("rows into Arrow", r"MessageDecoder::|OpenFile::decode|Decoding::"),
    ("librdkafka's threads", r"rd_kafka_broker_thread_main|rd_kafka_thread_main"),
    ("messages from librdkafka, one by one", r"Feed<|poll_queue|rd_kafka_message|NativePtr|native_event|with_message"),
    ("the worker between messages", r"ingest::take|Worker<"),
    ("start, files, runtime, the rest", r""),
]


def work():
    stages.require_perf()
    sent = gristmill_json("produce", "--bootstrap-servers", BOOTSTRAP, "--topic", TOPIC, "--partitions", "8", "--count",
                          str(MESSAGES), "--seed", str(SEED), "--wait", "5m")
    place, recorded = pathlib.Path(TMP) / "place", os.path.join(TMP, "perf.data")
    place.mkdir()
    document = manifest.write(manifest.ingest("books", TOPIC, "file:///raw", max_age="5m"))
    stages.record(["gristmill", "ingest", "-f", document, "--local", place, "--until-caught-up"], recorded)
    print("\n".join(["", *stages.table(recorded, STAGES, sent["books"]), ""]), flush=True)


if __name__ == "__main__":
    main(work)
