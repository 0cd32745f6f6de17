"""A run that several pods share, on a real cluster; see suites/shards."""

import json
import os
import signal

import duckdb

import manifest
import oracle
import quickstart
import topics
from failures import apply, patch
from quickstart import get, kubectl, processes_of, run_now, status, wait
from suite import BOOTSTRAP_PODS, HDFS_URL, ROOT, SEED, main, require, run, say
from zone_log import HDFS

TOPIC = "shards"
NAME = "books"
NAMESPACE = quickstart.NAMESPACE
ZONES = "/raw_zone/shards", "/raw_zone/shards_rejected", "/processed_zone/shards", "/processed_zone/shards-single"
RAW, PROCESSED, SINGLE = ZONES[0], ZONES[2], ZONES[3]
SHARDS = 3
# A run of less than 8 MB says more about its start than about its bytes, so that nothing is decided by it: 93 a message.
MESSAGES = 120_000
# The run is by hand: until the schedule's next start RAW would grow far beyond what three pods can do.
SCHEDULE = "0 0 1 1 *"


def documents(url):
    ingest = manifest.ingest(NAME, TOPIC, f"{url}{RAW}", bootstrap=BOOTSTRAP_PODS)
    compaction = manifest.compaction(NAME, f"{url}{PROCESSED}", processed={"buckets": SHARDS}, schedule=SCHEDULE,
                                     sizing={"mode": "Auto", "maxCpuPerPod": "100m", "maxMemoryPerPod": "512Mi",
                                             "maxParallelism": SHARDS})
    return ingest, compaction


def start_anew():
    kubectl("delete", "streamingest,hourlycompaction", NAME, "-n", NAMESPACE, "--ignore-not-found")
    for path in ZONES:
        if HDFS.list(path):
            HDFS.fs("-rm", "-r", path)
    topics.create(TOPIC, 4)


def arrived(count, seed):
    """So many messages more are in RAW."""
    topics.books(TOPIC, count, seed)
    end = sum(topics.ends(TOPIC).values())
    wait(f"{count} messages are in RAW", lambda: quickstart.log(f"{HDFS_URL}{RAW}")["messages"] == end)


def template():
    return get("cronjob", f"{NAME}-compaction")["spec"]["jobTemplate"]["spec"]


def pods(job):
    return json.loads(kubectl("get", "pods", "-n", NAMESPACE, "-l", f"job-name={job}", "-o", "json"))["items"]


def index_of(pod):
    return int(pod["metadata"]["annotations"]["batch.kubernetes.io/job-completion-index"])


def is_compaction(process):
    try:
        with open(f"/proc/{process}/cmdline", "rb") as file:
            return b"compact" in file.read().split(b"\0")
    except (FileNotFoundError, ProcessLookupError):
        return False


def killed(job, index):
    """Kills the process of this part; true when it has."""
    uids = {pod["metadata"]["uid"] for pod in pods(job) if index_of(pod) == index}
    found = [process for process in processes_of(uids) if is_compaction(process)]
    for process in found:
        os.kill(process, signal.SIGKILL)
    return bool(found)


def shared_run(job):
    """All parts complete although one of them is killed; only that one has a second pod."""
    kubectl("create", "job", "-n", NAMESPACE, f"--from=cronjob/{NAME}-compaction", job)
    wait("the second part is killed", lambda: killed(job, 1))
    wait("the others have ended, it is run again, and the Job is complete", lambda: get("job", job)["status"].get("succeeded") == SHARDS)
    found = pods(job)
    say("pods of the run: " + ", ".join(f"part {index_of(pod)} {pod['status']['phase']}" for pod in sorted(found, key=index_of)))
    require(sorted(map(index_of, found)) in ([0, 1, 1, 2], [0, 1, 2]), "another part than the one that was killed was run again")
    job_status = get("job", job)["status"]
    require(job_status.get("failed", 0) == 1 and job_status["completedIndexes"] == f"0-{SHARDS - 1}", f"the Job says {job_status}")
    told = wait("the run in the status", lambda: [each for each in status("hourlycompaction", NAME).get("runs", [])
                                                  if each.get("shards") == SHARDS])
    say(f"status: {json.dumps(told[0])}")


def rows(path):
    """The rows of a zone in a table of DuckDB, with the year that their directory says."""
    with oracle.fetched(f"{HDFS_URL}{path}", HDFS) as directory:
        return duckdb.sql(f"""SELECT * EXCLUDE (filename), regexp_extract(filename, 'publication_year=([^/]*)', 1) AS directory
            FROM read_parquet('{directory}/publication_year=*/**/*.parquet', hive_partitioning = false, filename = true)""").to_arrow_table()


def compare():
    """One process over all fills another zone; both have the same rows."""
    ingest, compaction = documents(HDFS_URL)
    compaction = manifest.merged(compaction, {"spec": {"processed": {"path": f"{HDFS_URL}{SINGLE}"}}})
    run("gristmill", "compact", "-f", manifest.write(ingest, compaction, file="single.yaml"))
    shared, single = rows(PROCESSED), rows(SINGLE)
    database = duckdb.connect()
    for name, table in (("shared", shared), ("single", single)):
        database.register(name, table)
    only = {name: database.execute(f"SELECT * FROM (FROM {name} EXCEPT ALL FROM {other}) LIMIT 3").fetchall()
            for name, other in (("shared", "single"), ("single", "shared"))}
    require(shared.num_rows > 0 and not any(only.values()), f"{shared.num_rows} and {single.num_rows} rows; only in one: {only}")
    keys = database.execute("SELECT count(DISTINCT record_id) FROM shared").fetchone()[0]
    require(keys == shared.num_rows, f"{shared.num_rows} rows of {keys} keys")
    say(f"{keys} rows, each key once: those of a single run")


@quickstart.explained()
def work():
    quickstart.install()
    kubectl("apply", "-f", f"{ROOT}/manifests/quickstart/00-namespace.yaml")
    start_anew()
    apply(*documents(os.environ["HDFS_URL_PODS"]))
    arrived(100, SEED)
    run_now("shards-first")
    arrived(MESSAGES, SEED + 1)
    run_now("shards-second")
    wait("the next run is for three pods", lambda: template().get("completionMode") == "Indexed")
    require(template()["completions"] == SHARDS and "backoffLimitPerIndex" in template(), f"the template is {template()}")
    say(status("hourlycompaction", NAME)["sizing"]["explanation"])
    arrived(MESSAGES, SEED + 2)
    shared_run("shards-third")
    patch({"spec": {"sizing": {"maxParallelism": 1}}}, "hourlycompaction", NAME)
    wait("the next run is for one pod", lambda: template().get("completionMode") != "Indexed")
    require("backoffLimitPerIndex" not in template() and template().get("completions") in (None, 1), f"the template is {template()}")
    arrived(100, SEED + 3)
    run_now("shards-fourth")
    compare()
    kubectl("delete", "streamingest,hourlycompaction", NAME, "-n", NAMESPACE)


if __name__ == "__main__":
    main(work)
