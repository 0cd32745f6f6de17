"""Samples of a program's stacks, by stage: `perf` takes them, and a sample belongs to the first stage that one of its frames names.

The program must have its symbols (`--profile bench`).
"""

import collections
import re
import shutil
import subprocess
import sys

# Samples a second of CPU time: one a millisecond.
RATE = 1000


def require_perf():
    if not shutil.which("perf"):
        sys.exit("perf is not installed; on Debian it is in the package linux-perf")


def record(command, into, **how):
    """Runs a command to its end, and takes samples of it. The stacks of zstd are deep."""
    subprocess.run(["perf", "record", "-q", "-F", str(RATE), "-e", "cpu-clock", "--call-graph", "dwarf,32768", "-o", into, *command],
                   check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **how)


def stacks(recorded):
    """The frames of each sample, the innermost first."""
    command = ["perf", "script", "-i", recorded, "-F", "ip,sym,dso", "--no-inline"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        frames = []
        for line in process.stdout:
            if line.strip():
                frames.append(line.strip().split(" ", 1)[-1])
            elif frames:
                yield frames
                frames = []
        if frames:
            yield frames


def kind(frames):
    if any("page_fault" in frame for frame in frames):
        return "page faults"
    return "kernel" if "[kernel" in frames[0] else "own"


def table(recorded, stages, rows):
    """A line of Markdown a stage, (name, pattern) each, and before them what all took."""
    counts = collections.Counter()
    for frames in stacks(recorded):
        stage = next(name for name, pattern in stages if any(re.search(pattern, frame) for frame in frames))
        counts[stage, kind(frames)] += 1
    total = sum(counts.values())
    yield f"{rows:,} rows, {total / RATE:.2f} CPU s\n"
    yield "| Stage | CPU s | of all | ns a row | page faults in it | kernel in it |"
    yield "|---|---:|---:|---:|---:|---:|"
    for stage, _ in stages:
        own, faults, kernel = (counts[stage, part] / RATE for part in ("own", "page faults", "kernel"))
        seconds = own + faults + kernel
        yield (f"| {stage} | {seconds:.2f} | {seconds * RATE / total:.0%} | {seconds * 1e9 / rows:.0f} | {faults:.2f} | "
               f"{kernel:.2f} |")
