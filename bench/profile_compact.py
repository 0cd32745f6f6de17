#!/usr/bin/env python3
"""Where the CPU time of a compaction goes: a table by stage, as Markdown.

bench/profile_compact.py GRISTMILL BENCH_ZONE [DIRECTORY]

Samples come from `perf` with whole stacks; a sample belongs to the first stage below that one of its frames names. The
binary must have its symbols (`--profile bench`). Variables, with their defaults:

BENCH_ROWS=2000000      rows, in 32 files, 10 percent of them repeated keys
BENCH_MEMORY=4Gi        memory of the run
"""

import collections
import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROWS = int(os.environ.get("BENCH_ROWS", 2_000_000))
MEMORY = os.environ.get("BENCH_MEMORY", "4Gi")
HERE = pathlib.Path(__file__).resolve().parent

STAGES = [
    ("compress pages", r"ZSTD_compress|ZSTD_encode|ZSTD_entropy|HUF_compress|HUF_build|HIST_"),
    ("decompress pages", r"ZSTD_decompress|HUF_decompress|ZSTD_buildFSE"),
    ("bloom filters", r"bloom_filter"),
    ("digest of the files", r"sha2::"),
    ("encode columns", r"ParquetFile::|ArrowWriter|arrow_writer|ColumnWriter|encodings::"),
    ("sort and gather the rows of a place", r"Source::next|Sorted::next|Order::sorted"),
    ("sort a batch by place and key", r"Order::piece"),
    ("hash keys", r"Scan::contenders|ContenderReader"),
    ("decide who wins", r"ranges::|settle|rank::"),
    ("decode columns", r"try_decode|PushDecoder|array_reader|ArrowReader|column::reader"),
    ("files, runtime, the rest", r""),
]


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


def main():
    gristmill, bench_zone = sys.argv[1:3]
    with tempfile.TemporaryDirectory(prefix="gristmill-profile-", dir=sys.argv[3] if len(sys.argv) > 3 else None) as folder:
        subprocess.run([bench_zone, folder, str(ROWS), "--files", "32", "--duplicates", "10"], check=True)
        recorded = os.path.join(folder, "perf.data")
        # The rate in Hz makes a sample a millisecond; the stacks of zstd are deep.
        subprocess.run(["perf", "record", "-q", "-F", "1000", "-e", "cpu-clock", "--call-graph", "dwarf,32768", "-o", recorded,
                        gristmill, "compact", "-f", HERE / "compact.yaml", "--local", folder, "--memory", MEMORY,
                        "--spill-dir", folder, "--json"], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        counts = collections.Counter()
        for frames in stacks(recorded):
            stage = next(name for name, pattern in STAGES if any(re.search(pattern, frame) for frame in frames))
            counts[stage, kind(frames)] += 1
    total = sum(counts.values())
    print(f"{ROWS} rows, {total / 1000:.2f} CPU s\n")
    print("| Stage | CPU s | of all | ns a row | page faults in it | kernel in it |")
    print("|---|---:|---:|---:|---:|---:|")
    for stage in [name for name, _ in STAGES]:
        own, faults, kernel = (counts[stage, part] / 1000 for part in ("own", "page faults", "kernel"))
        seconds = own + faults + kernel
        print(f"| {stage} | {seconds:.2f} | {seconds * 1000 / total:.0%} | {seconds * 1e9 / ROWS:.0f} | {faults:.2f} | {kernel:.2f} |")


if __name__ == "__main__":
    main()
