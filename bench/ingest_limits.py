"""How far the ingest is from what limits it. tests/live/suites/bench-limits starts the servers.

The whole worker and each limit alone, over the same topic and on the same machine, one after the other: reading the topic by
the worker's own client, decoding and encoding its kind of messages, writing the worker's own file, and the memory. Rows are
counted: other rows than were sent end the run with exit 1. No time does. Variables, with their defaults:

BENCH_MESSAGES=200000   messages of the topic; the worker is run over it and over another one twice as long
BENCH_ROUNDS=3          rounds; of each figure the middle one
"""

import itertools
import json
import math
import os
import pathlib
import shutil
import statistics
import sys

import manifest
import report
from measure import Program, adopt_orphans, took
from suite import BOOTSTRAP, HDFS_URL, SEED, TMP, gristmill_json, main, require, say

MESSAGES = int(os.environ.get("BENCH_MESSAGES", 200_000))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", 3))
# Of the stages that are measured in memory.
STAGE_MESSAGES, STAGE_ROUNDS = 40_000, 5
HERE = pathlib.Path(__file__).resolve().parent
NUMBERS = itertools.count(1)
WHOLE = "the whole worker, file://"
# What the worker does with each message.
PARTS = ("consume alone", "decode alone", "zstd Parquet alone", "write alone, file://")


def fill(topic, messages):
    return gristmill_json("produce", "--bootstrap-servers", BOOTSTRAP, "--topic", topic, "--partitions", "8",
                          "--count", str(messages), "--seed", str(SEED), "--wait", "5m")


def limit(*arguments):
    return json.loads(took(["bench-limits", *arguments])["printed"])


def ingest(topic, sent):
    """The whole worker on file://: what it took, and the largest file of rows that it wrote."""
    place = pathlib.Path(TMP) / f"place-{next(NUMBERS)}"
    place.mkdir()
    document = manifest.write(manifest.ingest("books", topic, "file:///raw", max_age="5m"))
    program = Program(["gristmill", "ingest", "-f", document, "--local", str(place), "--until-caught-up"],
                      os.path.join(TMP, "ingest.log"))
    figures = program.join()
    program.check()
    found = json.loads(took([sys.executable, HERE / "counts.py", place])["printed"])
    require((found["rows"], found["rejects"]) == (sent["books"], 0),
            f"{found['rows']} rows and {found['rejects']} rejects are in the files of {topic}, where {sent['books']} rows must be")
    largest = max(place.glob("books/raw/ingest_date=*/**/*.parquet"), key=lambda path: path.stat().st_size)
    shutil.copy(largest, pathlib.Path(TMP) / "raw.parquet")
    shutil.rmtree(place)
    return {**figures, "written": found["bytes"]}


def consume(topic, sent):
    """A group of its own, that of the document's name, which no worker has."""
    name = f"alone-{next(NUMBERS)}"
    figures = limit("consume", manifest.write(manifest.ingest(name, topic, "file:///raw")))
    require((figures["messages"], figures["bytes"]) == (sent["messages"], sent["bytes"]),
            f"{figures['messages']} messages of {figures['bytes']} bytes were read of {topic}, where {sent} was sent")
    return figures


def middle(rounds):
    return {name: statistics.median(each[name] for each in rounds) for name in rounds[0]}


def slope(short, long, name):
    """What the second half took: without the start."""
    return max(long[name] - short[name], 0)


def measure():
    sent = {"short": fill("limits-short", MESSAGES), "long": fill("limits-long", 2 * MESSAGES)}
    rounds = {"short": [], "long": [], "consume-short": [], "consume-long": [], "hdfs": [], "file": []}
    # A broker makes the topic of the offsets when its first group joins: seconds, which are nobody's.
    ingest("limits-short", sent["short"])
    for _ in range(ROUNDS):
        for length in ("short", "long"):
            rounds[length].append(ingest(f"limits-{length}", sent[length]))
            rounds[f"consume-{length}"].append(consume(f"limits-{length}", sent[length]))
        written = os.path.join(TMP, "raw.parquet")
        rounds["hdfs"].append(limit("write", f"{HDFS_URL}/raw_zone/limits", written, "etl"))
        rounds["file"].append(limit("write", f"file://{TMP}/written", written))
        say(f"round {len(rounds['hdfs'])} of {ROUNDS}: worker {rounds['long'][-1]['cpu']:.2f} CPU s, "
            f"consume alone {rounds['consume-long'][-1]['cpu']:.2f} CPU s")
    figures = {name: middle(each) for name, each in rounds.items()}
    return {"sent": sent, **figures, "memory": limit("memory"), "stages": limit("stages", str(STAGE_MESSAGES), str(STAGE_ROUNDS))}


def parts(found):
    """(what, CPU s, bytes that it has to do with) of each limit and of the worker, for what the longer topic has more."""
    sent = found["sent"]
    records = sent["long"]["books"] - sent["short"]["books"]
    payload = sent["long"]["bytes"] - sent["short"]["bytes"]
    written = slope(found["short"], found["long"], "written")
    yield WHOLE, slope(found["short"], found["long"], "cpu"), payload
    yield "consume alone", slope(found["consume-short"], found["consume-long"], "cpu"), payload
    seconds = found["stages"]["seconds"]
    for stage, title in (("decode", "decode alone"), ("encode-zstd", "zstd Parquet alone"), ("events", "quick-xml, bare event loop"),
                         ("scan", "memchr finds each <")):
        yield title, seconds[stage] * records, payload
    for store, title in (("hdfs", "write alone, hdfs://"), ("file", "write alone, file://")):
        yield title, found[store]["cpu"] / found[store]["bytes"] * written, written
    yield "memory, every byte read", payload / found["memory"]["read"], payload
    yield "memory, every byte copied", payload / found["memory"]["copy"], payload


def table(found):
    records = found["sent"]["long"]["books"] - found["sent"]["short"]["books"]
    rows = list(parts(found))
    whole = rows[0][1]
    yield ["", "CPU ns a record", "records/CPU s", "MB/CPU s", "of the worker's CPU", "the worker is slower by"]
    for what, cpu, amount in rows:
        yield ([what, "-", "-", "-", "-", "-"] if not cpu or not whole else
               [what, f"{cpu / records * 1e9:.0f}", f"{records / cpu:,.0f}", f"{amount / 1e6 / cpu:,.0f}", f"{cpu / whole:.1%}",
                f"{whole / cpu:.1f}x"])


def stores(found):
    yield ["a RAW file", "MB", "create, s", "write, s", "close, s", "MB/s with create and close", "CPU s"]
    for store in ("file", "hdfs"):
        took_of = found[store]
        seconds = took_of["create"] + took_of["write"] + took_of["close"]
        yield [f"{store}://", f"{took_of['bytes'] / 1e6:.1f}", *(f"{took_of[name]:.3f}" for name in ("create", "write", "close")),
               f"{took_of['bytes'] / 1e6 / seconds:.0f}", f"{took_of['cpu']:.3f}"]


def page(found):
    told, sent = found["machine"], found["sent"]
    cpu_of = {what: cpu for what, cpu, _ in parts(found)}
    together = sum(cpu_of[part] for part in PARTS) / cpu_of[WHOLE] if cpu_of[WHOLE] else math.nan
    return "\n\n".join([
        f"{told['date']}, commit {told['commit']}. {told['processor']}, {told['cores']} cores, {told['memory']} of memory, Linux "
        f"{told['kernel']}; load before it began: {told['load']:.1f}{report.busy(told)}. {sent['long']['messages'] - sent['short']['messages']:,} messages "
        f"({(sent['long']['bytes'] - sent['short']['bytes']) / 1e6:.0f} MB), which the longer topic has more; rounds: {found['rounds']}.",
        report.markdown(table(found)),
        f"{', '.join(PARTS)} together are {together:.0%} of the worker's CPU.",
        report.markdown(stores(found))]) + "\n"


def work():
    adopt_orphans()
    found = {"machine": report.machine(), "rounds": ROUNDS, **measure()}
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "limits.json").write_text(json.dumps(found, indent=1), encoding="utf-8")
    print(f"\n{report.plain(table(found))}\n\n{report.plain(stores(found))}\n", flush=True)
    (folder / "limits.md").write_text(page(found), encoding="utf-8")
    print(f"written: {folder.resolve()}/limits.json, limits.md")


if __name__ == "__main__":
    main(work)
