"""The commit log by its length: what opening a zone costs after 1,000 to 1,000,000 entries. A part of the curves."""

import json
import os
import pathlib
import shutil
import statistics

from measure import took

HISTORY = [int(count) for count in os.environ.get("BENCH_HISTORY", "1000,10000,100000,1000000").split(",")]
LIVE = [int(count) for count in os.environ.get("BENCH_LIVE", "1000,10000,100000").split(",")]
# As many as files of 5 minutes stay in five weeks.
MOST_LIVE = 10_000
# An opening takes milliseconds.
OPENINGS = 5


def opened(zone):
    """Of each figure the middle one: each opening is a process of its own."""
    rounds = [json.loads(took(["bench-log", "open", zone])["printed"]) for _ in range(OPENINGS)]
    return {name: statistics.median(each[name] for each in rounds) for name in rounds[0]}


def curve(folder, live, entries, say):
    """Zones of one history, the longer ones going on from the shorter ones."""
    made = took(["bench-log", "write", folder, live, *entries])
    say(f"{entries[-1]:,} entries made: {made['seconds']:.0f} s, {made['cpu']:.0f} CPU s")
    points = []
    for count, line in zip(entries, made["printed"].splitlines()):
        points.append({**json.loads(line), **opened(folder / str(count))})
        say(f"opened after {points[-1]['entries']:,.0f} entries with {points[-1]['live']:,.0f} live files: "
            f"{points[-1]['seconds']:.3f} s, {points[-1]['peak']:.0f} MiB, {points[-1]['reads']:.0f} files read")
    shutil.rmtree(folder)
    return points


def measure(place, say):
    """By entries, with files that leave; and by live files, where none leaves."""
    return {"history": curve(pathlib.Path(place) / "history", MOST_LIVE, HISTORY, say),
            "live": curve(pathlib.Path(place) / "live", 0, LIVE, say)}
