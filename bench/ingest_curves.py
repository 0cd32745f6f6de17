"""How the ingest grows: one curve for each thing that may be large. tests/live/suites/bench-curves starts the broker.

Each point is a whole process, from its start until its topic is read: seconds, CPU seconds and largest memory. Its rows and
rejects are counted in the files and compared with what was sent: a point with others ends the run with exit 1. No time does.
Variables, with their defaults:

BENCH_CURVES=messages,partitions,size,columns,cores,rules,bad,log
BENCH_MESSAGES=50000    messages of the first point of `messages`, about 1 kB each; the other curves have about 4 times as much
BENCH_ROUNDS=1          rounds; the points of a curve take turns, and the middle one of each counts
BENCH_HISTORY=1000,10000,100000,1000000     entries of the logs
BENCH_LIVE=1000,10000,100000                live files of the logs that nothing was removed from
"""

import dataclasses
import itertools
import json
import os
import pathlib
import shutil
import statistics
import sys

import curve_log
import curve_report
import manifest
import report
from measure import CORES, Program, adopt_orphans, took
from suite import BOOTSTRAP, SEED, TMP, gristmill_json, main, require, say

MESSAGES = int(os.environ.get("BENCH_MESSAGES", 50_000))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", 1))
PARTITIONS = 8
MEMORY = "256Mi"
HERE = pathlib.Path(__file__).resolve().parent
# Of a curve that does not vary it: messages, bytes, values.
USUAL = 4 * MESSAGES
BYTES = 1060 * USUAL
VALUES = 100 * MESSAGES
# A table's message has about so many values, whatever its columns.
VALUES_A_MESSAGE = 500
NUMBERS = itertools.count(1)


@dataclasses.dataclass
class Point:
    """One run, and by what it is told apart."""

    label: str
    x: float
    topic: "Topic"
    # How much of the curve's unit it has.
    amount: float = 0
    document: dict = dataclasses.field(default_factory=dict)
    arguments: list = dataclasses.field(default_factory=list)
    prefix: list = dataclasses.field(default_factory=list)
    memory: str = MEMORY


@dataclasses.dataclass
class Curve:
    title: str
    # What a cost is divided by, so that growth that is linear shows as a column of equal figures.
    unit: str
    # What is varied.
    x: str
    points: list


class Topic:
    """Filled once, when it is first asked for."""

    made = {}

    def __init__(self, name, partitions=PARTITIONS, **form):
        self.name, self.partitions, self.form = f"curve-{name}", partitions, form

    @property
    def sent(self):
        if self.name not in self.made:
            self.made[self.name] = self.fill()
            say(f"topic {self.name}: {self.made[self.name]}")
        return self.made[self.name]

    def fill(self):
        if "form" in self.form:
            wish = {"topic": self.name, "partitions": self.partitions, "seed": SEED, **self.form}
            return json.loads(took([sys.executable, HERE / "curve_messages.py", json.dumps(wish)])["printed"])
        sent = gristmill_json("produce", "--bootstrap-servers", BOOTSTRAP, "--topic", self.name, "--partitions",
                              str(self.partitions), "--count", str(self.form["count"]), "--seed", str(SEED), "--wait", "5m")
        return {"messages": sent["messages"], "bytes": sent["bytes"], "rows": sent["books"], "rejects": 0}


def usual(partitions=PARTITIONS):
    return Topic(f"books-{USUAL}-{partitions}", partitions, count=USUAL)


def rows_of(point):
    return point.topic.sent["rows"]


def messages():
    points = [Point(f"x{times}", times, Topic(f"books-{times * MESSAGES}-{PARTITIONS}", count=times * MESSAGES))
              for times in (1, 2, 4, 8)]
    return Curve("messages", "record", "times as many messages", points), rows_of


def partitions():
    points = [Point(f"{count}", count, usual(count)) for count in (1, 8, 64, 512)]
    return Curve("partitions", "record", "partitions", points), rows_of


def size():
    points = [Point(label, length, Topic(f"size-{label.replace(' ', '')}", form="books", length=length, total=BYTES))
              for label, length in (("1 kB", 10**3), ("10 kB", 10**4), ("100 kB", 10**5), ("1 MB", 10**6), ("10 MB", 10**7))]
    return Curve("size of a message", "record", "bytes of a message", points), rows_of


COLUMN_TYPES = [{}, {"type": "Int64"}, {"type": "Decimal", "precision": 12, "scale": 2}, {"type": "Timestamp"}]
# One for each type of a table's columns, and none that a value breaks.
RULES = [{"pattern": "^word [0-9]+$"}, {"min": 0, "max": 2_000_000}, {"min": "0.01"}, {"required": True}]


def table(columns):
    rows = VALUES_A_MESSAGE // columns
    return Topic(f"table-{columns}", form="table", columns=columns, rows=rows, messages=VALUES // (rows * columns))


def record(columns, rules=0):
    """The record block of a table, with a rule for each of its first columns."""
    rows = [{"name": f"c{column}", "path": f"c{column}", **COLUMN_TYPES[column % 4], **(RULES[column % 4] if column < rules else {})}
            for column in range(columns)]
    return {"record": {"rowPath": "/t/r", "columns": rows}}


def columns():
    points = [Point(f"{count}", count, table(count), document=record(count)) for count in (5, 50, 500)]
    # What an encoder takes before its first value is what limits many columns: 96Mi, and 1Mi a column.
    points.append(Point("500, 600Mi", 500, table(500), document=record(500), memory="600Mi"))
    return Curve("columns", "value", "columns", points), lambda point: rows_of(point) * point.x


def rules():
    points = [Point(f"{count}", count, table(50), document=record(50, count)) for count in (0, 10, 50)]
    return Curve("validation rules on 50 columns", "record", "rules", points), rows_of


def cores():
    """By the processors that the process may run on, and by `--cpu-file`, with which a pod is told its CPU."""
    points = []
    allowed = sorted(os.sched_getaffinity(0))
    for count in range(1, CORES + 1):
        chosen = ",".join(map(str, allowed[:count]))
        points.append(Point(f"taskset {count}", count, usual(), prefix=["taskset", "-c", chosen]))
    for count in range(1, CORES + 1):
        told = pathlib.Path(TMP) / f"cpu-{count}"
        told.write_text(str(count), encoding="ascii")
        points.append(Point(f"told {count}", count, usual(), arguments=["--cpu-file", str(told)]))
    return Curve("cores", "record", "cores", points), rows_of


def bad():
    points = [Point(f"{share} %", share, Topic(f"bad-{share}", form="bad", messages=USUAL, share=share)) for share in (0, 5, 25, 50)]
    return Curve("share of bad messages", "message", "percent of the messages", points), lambda point: point.topic.sent["messages"]


CURVES = {each.__name__: each for each in (messages, partitions, size, columns, cores, rules, bad)}
CHOSEN = os.environ.get("BENCH_CURVES", ",".join([*CURVES, "log"])).split(",")


def drain(curve, point):
    """From a cold start until the topic is read: what it took, and what was written."""
    sent = point.topic.sent
    # A place of its own, by which the consumer group is named.
    place = pathlib.Path(TMP) / f"place-{next(NUMBERS)}"
    place.mkdir()
    document = manifest.ingest("curve", point.topic.name, "file:///raw", max_age="5m")
    document["spec"].update(point.document)
    command = [*point.prefix, "gristmill", "ingest", "-f", manifest.write(document), "--local", str(place), "--until-caught-up",
               "--memory", point.memory, *point.arguments]
    program = Program(command, os.path.join(TMP, "ingest.log"))
    figures = program.join()
    program.check()
    figures |= json.loads(took([sys.executable, HERE / "counts.py", place])["printed"])
    shutil.rmtree(place)
    wrong = [name for name in ("rows", "rejects") if figures[name] != sent[name]]
    require(not wrong, f"{curve.title}, {point.label}: " + ", ".join(
        f"{figures[name]} {name} in the files where {sent[name]} must be" for name in wrong))
    say(f"{curve.title:<30} {point.label:<20}{figures['seconds']:8.2f} s{figures['cpu']:9.2f} CPU s{figures['peak']:7.0f} MiB"
        f"{figures['rows']:9} rows{figures['rejects']:8} rejects{figures['files']:4} files")
    return figures


def measure(curve, amount, start):
    """The points of a curve take turns; of each figure the middle one."""
    for point in curve.points:
        # Made before the first point is measured, so that the broker is at rest then.
        point.amount = amount(point)
    found = [[] for _ in curve.points]
    for _ in range(ROUNDS):
        for point, rounds in zip(curve.points, found):
            rounds.append(drain(curve, point))
    points = []
    for point, rounds in zip(curve.points, found):
        middle = {name: statistics.median(each[name] for each in rounds) for name in rounds[0]}
        points.append({"label": point.label, "x": point.x, "amount": point.amount, "sent": point.topic.sent, "rounds": rounds, **middle,
                       # What every process pays once is no growth.
                       "per_unit": max(middle["cpu"] - start["cpu"], 0) / point.amount})
    return {"title": curve.title, "unit": curve.unit, "x": curve.x, "points": points}


def work():
    unknown = [name for name in CHOSEN if name not in CURVES and name != "log"]
    require(not unknown, f"BENCH_CURVES has {unknown}; known are {', '.join(CURVES)}, log")
    adopt_orphans()
    found = {"machine": report.machine(), "messages": MESSAGES, "rounds": ROUNDS, "memory": MEMORY, "curves": []}
    empty = Curve("start", "record", "", [Point("no message", 0, Topic("empty", form="bad", messages=0, share=0))])
    # A broker makes the topic of the offsets when its first group joins: seconds, which are nobody's.
    drain(empty, empty.points[0])
    found["start"] = drain(empty, empty.points[0])
    for name in CHOSEN:
        if name != "log":
            curve, amount = CURVES[name]()
            found["curves"].append(measure(curve, amount, found["start"]))
    if "log" in CHOSEN:
        found["log"] = curve_log.measure(pathlib.Path(TMP), say)
    curve_report.write(found, pathlib.Path(sys.argv[1]))


if __name__ == "__main__":
    main(work)
