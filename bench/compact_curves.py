#!/usr/bin/env python3
"""How a compaction grows: with the zone, and with the share of it that is new. A table, and a picture as SVG.

bench/compact_curves.py GRISTMILL BENCH_ZONE PICTURE [DIRECTORY]

Each zone is filled by one run; then rows with new keys come, and are compacted by a run of their own. CPU seconds are those
of the whole process. Variables, with their defaults:

BENCH_SIZES=1000000,3000000,10000000    rows of the zones, 10 percent of them repeated keys
BENCH_SHARES=0.1,1,10                   new rows in percent of the zone's
BENCH_LIMIT=512Mi                       memory of each run
"""

import json
import os
import pathlib
import sys
import tempfile

from compact import Zone

SIZES = [int(size) for size in os.environ.get("BENCH_SIZES", "1000000,3000000,10000000").split(",")]
SHARES = [float(share) for share in os.environ.get("BENCH_SHARES", "0.1,1,10").split(",")]
LIMIT = os.environ.get("BENCH_LIMIT", "512Mi")

WIDTH, HEIGHT, MARGIN = 640, 400, 60
COLOURS = ["#1f4e79", "#c05a00", "#3a7d34", "#8b1a1a", "#5b3a8c", "#555555"]


def measure(zone, size):
    """Seconds and CPU seconds of filling the zone, then of each share of new rows."""
    print(f"| {size:,} | all | {size:,} |", end="", flush=True)
    zone.append(size, "--files", max(8, size // 250_000))
    results = {"all": run(zone, size)}
    first = size
    for share in SHARES:
        rows = max(1, int(size * share / 100))
        print(f"| {size:,} | {share:g} % | {rows:,} |", end="", flush=True)
        zone.append(rows, "--first", first, "--files", 4, "--duplicates", 0)
        results[f"{share:g} % new"] = run(zone, rows)
        first += rows
    return results


def run(zone, rows):
    figures = zone.compact(LIMIT)
    report = json.loads(figures["printed"])
    assert report["rows"]["read"] == rows, report
    cpu = figures["cpu"]
    print(f" {figures['seconds']:.2f} | {cpu:.2f} | {cpu * 1e6 / rows:.2f} | {figures['peak']:.0f} |", flush=True)
    return cpu


def picture(results):
    """CPU seconds by rows of the zone, a line for each share; both axes in powers of ten."""
    from math import ceil, floor, log10

    lines = list(next(iter(results.values())))
    seconds = [cpu for by_line in results.values() for cpu in by_line.values()]
    low, high = floor(log10(min(seconds))), ceil(log10(max(seconds)))
    left, right = floor(log10(min(SIZES))), ceil(log10(max(SIZES)))
    right, high = max(right, left + 1), max(high, low + 1)

    def x(size):
        return MARGIN + (log10(size) - left) / (right - left) * (WIDTH - 2 * MARGIN - 70)

    def y(cpu):
        return HEIGHT - MARGIN - (log10(cpu) - low) / (high - low) * (HEIGHT - 2 * MARGIN)

    def text(at_x, at_y, words, anchor="middle", colour="#222"):
        return f'<text x="{at_x:.0f}" y="{at_y:.0f}" text-anchor="{anchor}" fill="{colour}">{words}</text>'

    parts = [text(WIDTH / 2, 24, "CPU seconds of a compaction by rows of the zone")]
    for power in range(left, right + 1):
        at = x(10**power)
        parts.append(f'<path d="M{at:.0f} {y(10**low):.0f}V{y(10**high):.0f}" stroke="#ddd"/>')
        parts.append(text(at, HEIGHT - MARGIN + 18, f"{10**power:,}"))
    for power in range(low, high + 1):
        at = y(10**power)
        parts.append(f'<path d="M{x(10**left):.0f} {at:.0f}H{x(10**right):.0f}" stroke="#ddd"/>')
        parts.append(text(MARGIN - 6, at + 4, f"{10**power:g} s", "end"))
    for colour, line in zip(COLOURS, lines):
        points = [(x(size), y(by_line[line])) for size, by_line in results.items()]
        parts.append(f'<polyline fill="none" stroke="{colour}" stroke-width="2" points="'
                     + " ".join(f"{at_x:.1f},{at_y:.1f}" for at_x, at_y in points) + '"/>')
        parts += [f'<circle cx="{at_x:.1f}" cy="{at_y:.1f}" r="3" fill="{colour}"/>' for at_x, at_y in points]
        parts.append(text(points[-1][0] + 8, points[-1][1] + 4, line, "start", colour))
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" font-family="sans-serif" font-size="12">'
            f'<rect width="100%" height="100%" fill="white"/>' + "".join(parts) + "</svg>\n")


def main():
    gristmill, bench_zone, target = (pathlib.Path(path).resolve() for path in sys.argv[1:4])
    print("| Rows of the zone | New | Rows read | s | CPU s | CPU µs a row read | MiB |\n|---:|---:|---:|---:|---:|---:|---:|")
    results = {}
    for size in SIZES:
        with tempfile.TemporaryDirectory(prefix="gristmill-curves-", dir=sys.argv[4] if len(sys.argv) > 4 else None) as folder:
            results[size] = measure(Zone(str(gristmill), str(bench_zone), pathlib.Path(folder)), size)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(picture(results))
    print(f"\nThe picture is in {target.name}.")


if __name__ == "__main__":
    main()
