"""The ingest beside its peers: Kafka to Parquet, in one run, on one machine. tests/live/suites/bench starts the servers.

Every program reads the same topic from its beginning with a group of its own, checks the same rules and writes the same
columns with zstd at level 1. Rows are compared by a digest over all of them: a program that writes others ends the
benchmark with exit 1. No time does.

A program is run over a topic and over another one twice as long: the difference is what messages cost once it is warm.
Variables, with their defaults:

BENCH_MESSAGES=300000   messages of the shorter topic, about three rows each; 5 % of them are malformed or invalid
BENCH_PARTITIONS=8
BENCH_ROUNDS=3          rounds; the programs take turns
BENCH_IDLE=60           seconds of the look at an idle program, 0 to leave it out
BENCH_CONTESTANTS=gristmill,gristmill-hdfs,spark,flink,python
"""

import os
import pathlib
import sys
import time

import contestants
import report
from measure import Program, adopt_orphans
from suite import BOOTSTRAP, SEED, TMP, Failed, gristmill_json, main, require, say, wait

MESSAGES = int(os.environ.get("BENCH_MESSAGES", 300_000))
PARTITIONS = int(os.environ.get("BENCH_PARTITIONS", 8))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", 3))
IDLE = float(os.environ.get("BENCH_IDLE", 60))
CONTESTANTS = os.environ.get("BENCH_CONTESTANTS", ",".join(contestants.ALL)).split(",")
# For the time to the first row, and for being idle after that.
FEW = 1_000
# After this long a program that has nothing to do is idle.
SETTLED = min(IDLE, 10)


def fill(topic, messages):
    """Sample messages; what was sent."""
    return gristmill_json("produce", "--bootstrap-servers", BOOTSTRAP, "--topic", topic, "--partitions", str(PARTITIONS),
                          "--count", str(messages), "--seed", str(SEED), "--duplicates", "2", "--malformed", "2",
                          "--invalid", "3", "--wait", "5m")


def start(contestant, topic, follows):
    contestant.prepare()
    command = contestant.command(topic, follows)
    return Program(command, os.path.join(TMP, f"{contestant.place.name}.log"), contestant.environment)


def drain(contestant, topic):
    """From a cold start until the topic is read: what it took, and what was written."""
    program = start(contestant, topic, follows=False)
    figures = program.join()
    program.check()
    files = contestant.files()
    figures |= {"files": len(files), "bytes": sum(path.stat().st_size for path in files), **contestants.rows_of(files)}
    contestant.clean()
    say(f"{contestant.name:<15} {topic:<12}{figures['seconds']:8.2f} s{figures['cpu']:9.2f} CPU s"
        f"{figures['peak']:7.0f} MiB{figures['rows']:9} rows{figures['files']:4} files")
    return figures


def follow(contestant, topic, idle_seconds):
    """Seconds from the start to the first row that is seen, and the CPU of a core that it takes with nothing to do."""
    program = start(contestant, topic, follows=True)

    def first_row():
        if program.has_ended():
            program.check()
            raise Failed(f"{contestant.name} ended although it shall go on")
        return contestant.shows_a_row() and program.since_start()

    figures = {"first": wait(f"{contestant.name} shows a row", first_row, pause=0.01)}
    if idle_seconds:
        time.sleep(SETTLED)
        begin, before = time.monotonic(), program.cpu_so_far()
        time.sleep(idle_seconds)
        figures["idle"] = (program.cpu_so_far() - before) / (time.monotonic() - begin)
        say(f"{contestant.name} with nothing to do: {figures['idle']:.2%} of a core")
    figures["store_wait"] = contestant.store_wait()
    program.end()
    contestant.clean()
    return figures


def same_rows(results):
    """Every program wrote the same rows of a topic, each time."""
    for topic in ("short", "long"):
        seen = {(each["rows"], each["digest"]): name for name, result in results.items() for each in result[topic]}
        require(len(seen) == 1 and 0 not in [rows for rows, _ in seen],
                f"the programs wrote different rows of the {topic} topic: "
                + ", ".join(f"{name} {rows} rows ({digest})" for (rows, digest), name in seen.items()))
        say(f"the {topic} topic: all wrote the same {next(iter(seen))[0]} rows, column by column")


def work():
    unknown = [name for name in CONTESTANTS if name not in contestants.ALL]
    require(not unknown, f"BENCH_CONTESTANTS has {unknown}; known are {', '.join(contestants.ALL)}")
    adopt_orphans()
    machine = report.machine()
    sent = {"short": fill("bench-short", MESSAGES), "long": fill("bench-long", 2 * MESSAGES)}
    fill("bench-few", FEW)
    parties = [contestants.ALL[name]() for name in CONTESTANTS]
    # A broker makes the topic of the offsets when its first group joins: seconds, which are nobody's.
    drain(parties[0], "bench-few")
    results = {each.name: {"version": each.version, "short": [], "long": [], "follow": []} for each in parties}
    for number in range(ROUNDS):
        for each in parties:
            result = results[each.name]
            result["short"].append(drain(each, "bench-short"))
            result["long"].append(drain(each, "bench-long"))
            result["follow"].append(follow(each, "bench-few", IDLE if number == 0 else 0))
    same_rows(results)
    report.write({"machine": machine, "partitions": PARTITIONS, "rounds": ROUNDS, "idle": IDLE, "sent": sent, "results": results},
                 pathlib.Path(sys.argv[1]))


if __name__ == "__main__":
    main(work)
