#!/usr/bin/env python3
"""Where the CPU time of a compaction goes: a table by stage, as Markdown.

bench/profile_compact.py GRISTMILL BENCH_ZONE [DIRECTORY]

Samples come from `perf`, see stages.py. Variables, with their defaults:

BENCH_ROWS=2000000      rows, in 32 files, 10 percent of them repeated keys
BENCH_MEMORY=4Gi        memory of the run
"""

import os
import pathlib
import subprocess
import sys
import tempfile

import stages

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


def main():
    stages.require_perf()
    gristmill, bench_zone = sys.argv[1:3]
    with tempfile.TemporaryDirectory(prefix="gristmill-profile-", dir=sys.argv[3] if len(sys.argv) > 3 else None) as folder:
        subprocess.run([bench_zone, folder, str(ROWS), "--files", "32", "--duplicates", "10"], check=True)
        recorded = os.path.join(folder, "perf.data")
        stages.record([gristmill, "compact", "-f", HERE / "compact.yaml", "--local", folder, "--memory", MEMORY,
                       "--spill-dir", folder, "--json"], recorded)
        print("\n".join(stages.table(recorded, STAGES, ROWS)))


if __name__ == "__main__":
    main()
