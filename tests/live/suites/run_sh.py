"""The script of the quickstart, with a cluster and without; see suites/run-sh."""

import os
import shutil
import subprocess

import duckdb

import oracle
import quickstart
import topics
from suite import BOOTSTRAP, ROOT, TMP, main, require, say

SCRIPT = f"{ROOT}/manifests/quickstart/run.sh"
# The script's own waits end sooner than this.
LIMIT = 1200


def script(*arguments, **options):
    return subprocess.run([SCRIPT, *arguments], text=True, capture_output=True, stdin=subprocess.DEVNULL,
                          timeout=LIMIT, **options)


def refused(words, *arguments, **options):
    """It ends with a sentence that says what to do."""
    done = script(*arguments, **options)
    require(done.returncode == 1 and words in done.stderr, f"run.sh {arguments}: exit {done.returncode}, expected {words!r}: {done.stderr}")
    say(done.stderr.strip().splitlines()[-1])


def without(program):
    """An environment in which a program is not found, and everything else of the usual places is."""
    folder = os.path.join(TMP, f"without-{program}")
    os.makedirs(folder, exist_ok=True)
    for place in ("/bin", "/usr/bin"):
        for name in os.listdir(place):
            if name != program and not os.path.lexists(f"{folder}/{name}"):
                os.symlink(f"{place}/{name}", f"{folder}/{name}")
    return {**os.environ, "PATH": folder}


def refusals():
    refused("kubectl is not there", env=without("kubectl"))
    refused("gristmill is not there", "--client", env=without("gristmill"))
    refused("kubectl reaches no cluster", env={**os.environ, "KUBECONFIG": "/dev/null"})
    refused("there is no option --cluster", "--cluster")
    refused("--kafka needs a value", "--kafka")


def printed(*arguments):
    """Rows by year as the script prints them, and their sum as it prints it."""
    done = script(*arguments)
    require(done.returncode == 0, f"run.sh {arguments}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    heading, separator, table = done.stdout.partition("== rows by year")
    require(separator, f"run.sh printed no rows by year:\n{done.stdout}")
    say(f"run.sh {' '.join(arguments)}")
    print("    " + heading.strip().replace("\n", "\n    "), flush=True)
    rows = dict(line.split() for line in table.splitlines()[1:])
    rows = {year: int(count) for year, count in rows.items()}
    return rows, rows.pop("all")


def check_table(rows, total, zone):
    """DuckDB finds the same rows in the same years."""
    found = dict(duckdb.sql(f"SELECT publication_year, count(*) FROM read_parquet('{zone}/**/*.parquet', "
                            "hive_partitioning = true, hive_types = {'publication_year': VARCHAR}) GROUP BY ALL").fetchall())
    require(rows == found and total == sum(found.values()), f"printed {rows}, all {total}; DuckDB reads {found}")
    say(f"{total} rows in {len(rows)} years, as DuckDB reads them")


def on_cluster():
    directory = os.path.join(TMP, "zones")
    try:
        with quickstart.explained():
            table = printed()
            quickstart.check(directory, sum(topics.ends(quickstart.TOPIC).values()))
            check_table(*table, f"{directory}/processed_zone")
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def in_a_process():
    """Twice, since a newcomer does that: the second time everything is a duplicate."""
    directory = os.path.join(TMP, "client")
    shutil.rmtree(directory, ignore_errors=True)
    arguments = ("--client", "--kafka", BOOTSTRAP, "--local", directory)
    first = printed(*arguments)
    second = printed(*arguments)
    require(first == second, f"the second time the rows are others: {first}, {second}")
    expected = {0: oracle.Expected(oracle.read_topic(quickstart.TOPIC)[0])}
    raw = oracle.check_raw(f"{directory}/books/raw", expected, quickstart.TOPIC)
    oracle.check_identity(f"{directory}/books/raw", expected)
    processed = oracle.check_processed(f"{directory}/books/processed", expected[0], raw["topic_id"])
    oracle.summary(expected, **raw, **processed)
    check_table(*second, f"{directory}/books/processed")


def work():
    refusals()
    if subprocess.run(["kubectl", "get", "crd", "streamingests.gristmill.dev"], capture_output=True).returncode != 0:
        refused("the definitions of Gristmill are not there")
    quickstart.install()
    on_cluster()
    in_a_process()


if __name__ == "__main__":
    main(work)
