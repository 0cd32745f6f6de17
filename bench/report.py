"""What the ingest benchmark found: a table, the expectations, Markdown, JSON and a picture."""

import json
import math
import os
import pathlib
import platform
import statistics
import subprocess

from measure import CORES
from suite import ROOT, run

OURS = "gristmill"
# Of the first row: the oldest row may wait for a second (spec.raw.files.maxAge), and the start may take another.
FIRST_ROW_SECONDS = 2
IDLE_SHARE = 0.01


def machine():
    """What the figures belong to."""
    def of(file, begin):
        with open(file, encoding="utf-8") as lines:
            return next((line.split(":", 1)[1].strip() for line in lines if line.startswith(begin)), "unknown")
    kibibytes = int(of("/proc/meminfo", "MemTotal").split()[0])
    commit = run("git", "-C", ROOT, "describe", "--always", "--dirty", "--abbrev=9").strip()
    return {"processor": of("/proc/cpuinfo", "model name"), "cores": CORES, "memory": f"{kibibytes / 2**20:.0f} GiB",
            "kernel": platform.release(), "python": platform.python_version(), "commit": commit,
            "date": run("date", "-u", "+%F %H:%M UTC").strip(), "load": os.getloadavg()[0]}


class Figures:
    """Of one program, a list over the rounds for each."""

    def __init__(self, result, sent):
        short, long = result["short"], result["long"]
        self.version = result["version"]
        self.cold = [each["seconds"] for each in short]
        self.cold_cpu = [each["cpu"] for each in short]
        self.peak = [each["peak"] for each in long]
        self.files = [each["files"] for each in long]
        self.written = [each["bytes"] / 1e6 for each in long]
        self.first = [each["first"] for each in result["follow"]]
        self.store_wait = [each["store_wait"] for each in result["follow"] if each["store_wait"] is not None]
        self.idle = [each["idle"] for each in result["follow"] if "idle" in each]
        bytes_more = sent["long"]["bytes"] - sent["short"]["bytes"]
        pairs = list(zip(short, long))
        # Where the seconds of two starts differ by more than those of the messages, the rate is one that no core has.
        most = [CORES * (b["rows"] - a["rows"]) / (b["cpu"] - a["cpu"]) for a, b in pairs if b["cpu"] > a["cpu"]]
        self.rate = [rate for rate in rates((b["rows"] - a["rows"], b["seconds"] - a["seconds"]) for a, b in pairs)
                     if most and rate <= max(most)]
        self.rate_cpu = rates((b["rows"] - a["rows"], b["cpu"] - a["cpu"]) for a, b in pairs)
        self.megabytes_cpu = rates((bytes_more / 1e6, b["cpu"] - a["cpu"]) for a, b in pairs)


def rates(pairs):
    """Few messages are lost in the noise of a start: that is no rate."""
    return [amount / time for amount, time in pairs if time > 0]


def ratio(above, below):
    return above / below if below > 0 else math.nan


COLUMNS = {
    "cold": ("cold to drained, s", "{:.2f}"),
    "cold_cpu": ("its CPU s", "{:.2f}"),
    "rate": ("warm records/s", "{:,.0f}"),
    "rate_cpu": ("warm records/CPU s", "{:,.0f}"),
    "megabytes_cpu": ("warm MB/CPU s", "{:.1f}"),
    "peak": ("peak MiB", "{:.0f}"),
    "files": ("files", "{:.0f}"),
    "written": ("MB written", "{:.1f}"),
    "first": ("first row, s", "{:.2f}"),
    "store_wait": ("its waits for the store, s", "{:.2f}"),
    "idle": ("idle, % of a core", "{:.2%}"),
}


def cell(values, form, spread):
    if not values:
        return "-"
    middle = form.format(statistics.median(values))
    if not spread or len(values) == 1:
        return middle
    return f"{middle} ({form.format(min(values))} to {form.format(max(values))})"


def rows(figures, spread):
    """Figures below each other, programs beside each other."""
    yield ["", *figures]
    for name, (title, form) in COLUMNS.items():
        yield [title, *(cell(getattr(each, name), form, spread) for each in figures.values())]


def ratios(figures):
    """Ours beside each: above 1 is better for us, in every line."""
    def middle(name, of):
        values = getattr(figures[of], name)
        return statistics.median(values) if values else math.nan
    peers = [name for name in figures if not name.startswith(OURS)]
    yield ["gristmill is better by", *peers]
    for name, ours_above in (("rate_cpu", True), ("rate", True), ("cold", False), ("cold_cpu", False), ("peak", False),
                             ("first", False), ("idle", False)):
        pairs = [(middle(name, OURS), middle(name, peer)) for peer in peers]
        times = [ratio(ours, theirs) if ours_above else ratio(theirs, ours) for ours, theirs in pairs]
        yield [COLUMNS[name][0], *("-" if math.isnan(each) else f"{each:.1f}x" for each in times)]


def expectations(figures):
    """(whether it is met, what is expected, what was seen), of what was measured."""
    def median(name, of=OURS):
        values = getattr(figures[of], name)
        return statistics.median(values) if values else math.nan
    if "spark" in figures:
        for what, wanted, seen in (
                ("warm records per CPU second, times Spark's", 12, ratio(median("rate_cpu"), median("rate_cpu", "spark"))),
                ("Spark's seconds from cold to drained, times ours", 15, ratio(median("cold", "spark"), median("cold"))),
                ("Spark's peak memory, times ours", 8, ratio(median("peak", "spark"), median("peak")))):
            if not math.isnan(seen):
                yield seen >= wanted, f"{what}: at least {wanted}", f"{seen:.1f}"
    first, idle = median("first"), median("idle")
    yield first <= FIRST_ROW_SECONDS, f"first row, maxAge 1s: at most {FIRST_ROW_SECONDS} s", f"{first:.2f} s"
    if not math.isnan(idle):
        yield idle < IDLE_SHARE, f"idle: below {IDLE_SHARE:.0%} of a core", f"{idle:.2%}"


def plain(table):
    table = list(table)
    widths = [max(len(row[column]) for row in table) for column in range(len(table[0]))]
    return "\n".join("  ".join(text.ljust(width) if column == 0 else text.rjust(width)
                               for column, (text, width) in enumerate(zip(row, widths))) for row in table)


def markdown(table):
    head, *body = table
    rule = ["---", *("---:" for _ in head[1:])]
    return "\n".join("| " + " | ".join(row) + " |" for row in [head, rule, *body])


def verdicts(figures):
    return [f"{'met' if met else 'MISSED'}: {what}; seen {seen}" for met, what, seen in expectations(figures)]


def write(found, folder):
    """Prints the tables and leaves ingest.json, ingest.md and ingest.svg in the folder."""
    figures = {name: Figures(result, found["sent"]) for name, result in found["results"].items()}
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "ingest.json", "w", encoding="utf-8") as out:
        json.dump(found, out, indent=1)
    parts = [plain(rows(figures, spread=False))]
    with_ours = OURS in figures
    if with_ours:
        parts += [plain(ratios(figures)), "\n".join(verdicts(figures))]
    print("\n" + "\n\n".join(parts) + "\n", flush=True)
    (folder / "ingest.md").write_text(page(found, figures) if with_ours else markdown(rows(figures, spread=True)), encoding="utf-8")
    plotter = os.path.join(os.environ["PEERS_HOME"], "plot", "bin", "python")
    drawn = {name: {column: getattr(each, column) for column in COLUMNS} for name, each in figures.items()}
    subprocess.run([plotter, str(pathlib.Path(__file__).with_name("plot.py")), str(folder / "ingest.svg")], check=True,
                   input=json.dumps(drawn), text=True)
    print(f"written: {folder.resolve()}/ingest.json, ingest.md, ingest.svg")


def busy(told):
    if told["load"] < 1:
        return ""
    return " (others were at work: seconds are longer than on a quiet machine, CPU seconds less so)"


def page(found, figures):
    told, sent = found["machine"], found["sent"]
    versions = ", ".join(f"{name} {each.version}" for name, each in figures.items() if name != "gristmill-hdfs")
    return "\n\n".join([
        f"{told['date']}, commit {told['commit']}. {told['processor']}, {told['cores']} cores, {told['memory']} of memory, "
        f"Linux {told['kernel']}; load before it began: {told['load']:.1f}{busy(told)}. {versions}.",
        f"{sent['short']['messages']:,} and {sent['long']['messages']:,} messages ({sent['short']['bytes'] / 1e6:.0f} and "
        f"{sent['long']['bytes'] / 1e6:.0f} MB) in {found['partitions']} partitions; rounds: {found['rounds']}; idle for {found['idle']:.0f} s. Each figure is "
        "the median, with the least and the most where there are several rounds.",
        markdown(ratios(figures)), markdown(rows(figures, spread=True)),
        "\n".join(f"- {verdict}" for verdict in verdicts(figures))]) + "\n"
