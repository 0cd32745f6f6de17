"""plot.py FILE.svg: the figures of the ingest benchmark, which come as JSON on standard input, as bars."""

import json
import statistics
import sys

import matplotlib

matplotlib.use("svg")
# Text stays text, and equal figures give an equal file.
matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "gristmill", "font.size": 9})

from matplotlib import pyplot  # noqa: E402, after the choice of what draws

PANELS = [("rate_cpu", "warm records per CPU second", "{:,.0f}"), ("cold", "cold start to drained, s", "{:.1f}"),
          ("peak", "peak memory, MiB", "{:.0f}"), ("first", "start to first row, s", "{:.2f}")]


def draw(axes, figures, column, title, form):
    names = [name for name in reversed(figures) if figures[name][column]]
    values = [statistics.median(figures[name][column]) for name in names]
    lows = [value - min(figures[name][column]) for name, value in zip(names, values)]
    highs = [max(figures[name][column]) - value for name, value in zip(names, values)]
    colors = ["#2a6f97" if name.startswith("gristmill") else "#adb5bd" for name in names]
    bars = axes.barh(names, values, xerr=[lows, highs], color=colors, error_kw={"elinewidth": 0.8})
    axes.bar_label(bars, [form.format(value) for value in values], padding=6)
    axes.set_title(title, loc="left")
    axes.margins(x=0.2)
    axes.spines[["top", "right"]].set_visible(False)


def main():
    figures = json.load(sys.stdin)
    figure, grid = pyplot.subplots(2, 2, figsize=(10, 1.2 + len(figures)), layout="constrained")
    for axes, panel in zip(grid.flat, PANELS):
        draw(axes, figures, *panel)
    figure.savefig(sys.argv[1], metadata={"Date": None})


if __name__ == "__main__":
    main()
