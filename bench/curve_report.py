"""What the curves found: a table for each, Markdown, JSON and a picture."""

import json
import os
import pathlib
import subprocess

from report import busy, markdown, plain

# Of a unit, which is linear where it stays: nanoseconds for the small ones.
NANOSECONDS = ("value",)


def cost(curve, point):
    return point["per_unit"] * (1e9 if curve["unit"] in NANOSECONDS else 1e6)


def cost_title(curve):
    return f"CPU {'ns' if curve['unit'] in NANOSECONDS else 'µs'} a {curve['unit']}"


def table(curve):
    yield [curve["x"], "messages", "MB", "records", "s", "CPU s", "records/s", "MB/CPU s", cost_title(curve), "of the first",
           "peak MiB", "files", "row groups", "MB written"]
    first = cost(curve, curve["points"][0])
    for point in curve["points"]:
        sent = point["sent"]
        yield [point["label"], f"{sent['messages']:,}", f"{sent['bytes'] / 1e6:.0f}", f"{sent['rows']:,}", f"{point['seconds']:.2f}",
               f"{point['cpu']:.2f}", f"{sent['rows'] / point['seconds']:,.0f}", f"{sent['bytes'] / 1e6 / point['cpu']:.0f}",
               f"{cost(curve, point):.2f}", f"{cost(curve, point) / first:.2f}" if first else "-", f"{point['peak']:.0f}",
               f"{point['files']:.0f}", f"{point['row_groups']:.0f}", f"{point['bytes'] / 1e6:.1f}"]


def log_table(points):
    yield ["entries", "live files", "opened in s", "CPU s", "peak MiB", "of it before", "files read", "listings", "other calls",
           "checkpoint kB", "bytes a live file", "CPU s to write it"]
    for point in points:
        checkpoint = point["checkpoint_bytes"]
        yield [f"{point['entries']:,.0f}", f"{point['live']:,.0f}", f"{point['seconds']:.3f}", f"{point['cpu']:.3f}",
               f"{point['peak']:.0f}", f"{point['peak_before']:.0f}", f"{point['reads']:.0f}", f"{point['listings']:.0f}",
               f"{point['others']:.0f}", f"{checkpoint / 1e3:,.0f}", f"{checkpoint / point['live']:.0f}",
               "-" if point["checkpoint_cpu"] is None else f"{point['checkpoint_cpu']:.3f}"]


def head(found):
    told, start = found["machine"], found["start"]
    return (f"{told['date']}, commit {told['commit']}. {told['processor']}, {told['cores']} cores, {told['memory']} of memory, "
            f"Linux {told['kernel']}; load before it began: {told['load']:.1f}{busy(told)}. `BENCH_MESSAGES={found['messages']}`; "
            f"rounds: {found['rounds']}, of each figure the middle one. --memory {found['memory']}. A process that finds no message "
            f"takes {start['seconds']:.2f} s, {start['cpu']:.3f} CPU s and {start['peak']:.0f} MiB; its CPU is left out of the cost of a unit.")


def tables(found):
    """(title, table) of each curve."""
    for curve in found["curves"]:
        yield curve["title"][0].upper() + curve["title"][1:], list(table(curve))
    if "log" in found:
        yield "Entries of the log, with at most about 10,000 live files", list(log_table(found["log"]["history"]))
        yield "Live files of the log, where none is removed", list(log_table(found["log"]["live"]))


def panels(found):
    """What is drawn: the cost of a unit and the memory, by what is varied."""
    for curve in found["curves"]:
        yield {"title": curve["title"], "x": curve["x"], "labels": [point["label"] for point in curve["points"]],
               "cost": [cost(curve, point) for point in curve["points"]], "cost_title": cost_title(curve),
               "memory": [point["peak"] for point in curve["points"]]}
    for name, points in found.get("log", {}).items():
        of = "entries" if name == "history" else "live"
        yield {"title": f"opening a log, by {'entries' if name == 'history' else 'live files'}",
               "x": "entries" if name == "history" else "live files", "labels": [f"{point[of]:,.0f}" for point in points],
               "cost": [point["cpu"] * 1e3 for point in points], "cost_title": "CPU ms", "memory": [point["peak"] for point in points]}


def write(found, folder):
    """Prints the tables and leaves curves.json, curves.md and curves.svg in the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "curves.json").write_text(json.dumps(found, indent=1), encoding="utf-8")
    shown = list(tables(found))
    for title, rows in shown:
        print(f"\n{title}\n{plain(rows)}", flush=True)
    parts = [head(found), *(f"**{title}**\n\n{markdown(rows)}" for title, rows in shown)]
    (folder / "curves.md").write_text("\n\n".join(parts) + "\n", encoding="utf-8")
    plotter = os.path.join(os.environ["PEERS_HOME"], "plot", "bin", "python")
    subprocess.run([plotter, str(pathlib.Path(__file__).with_name("curve_plot.py")), str(folder / "curves.svg")], check=True,
                   input=json.dumps(list(panels(found))), text=True)
    print(f"\nwritten: {folder.resolve()}/curves.json, curves.md, curves.svg")
