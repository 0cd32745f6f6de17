"""curve_plot.py FILE.svg: the growth curves, which come as JSON on standard input, as small multiples."""

import json
import sys

import matplotlib

matplotlib.use("svg")
# Text stays text, and equal figures give an equal file.
matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "gristmill", "font.size": 8})

from matplotlib import pyplot  # noqa: E402, after the choice of what draws

COLUMNS = 3
COST, MEMORY = "#2a6f97", "#c05a00"


def draw(axes, panel):
    """What is linear is a flat line: the cost is that of one unit. Points stand side by side, whatever lies between them."""
    places = range(len(panel["labels"]))
    beside = axes.twinx()
    for line, name, color, title in ((axes, "cost", COST, panel["cost_title"]), (beside, "memory", MEMORY, "peak MiB")):
        line.plot(places, panel[name], marker="o", markersize=3, color=color)
        line.set_ylim(bottom=0, top=max(panel[name]) * 1.25 or 1)
        line.set_ylabel(title, color=color)
        line.tick_params(axis="y", colors=color)
        line.spines["top"].set_visible(False)
    axes.set_xticks(list(places), panel["labels"], rotation=0 if max(map(len, panel["labels"])) < 9 else 20)
    axes.set_title(panel["title"], loc="left")
    axes.set_xlabel(panel["x"])
    axes.margins(x=0.1)


def main():
    panels = json.load(sys.stdin)
    rows = -(-len(panels) // COLUMNS)
    figure, grid = pyplot.subplots(rows, COLUMNS, figsize=(12, 2.6 * rows), layout="constrained", squeeze=False)
    for axes, panel in zip(grid.flat, panels):
        draw(axes, panel)
    for axes in list(grid.flat)[len(panels):]:
        axes.set_visible(False)
    figure.savefig(sys.argv[1], metadata={"Date": None})


if __name__ == "__main__":
    main()
