"""Ingest and compaction as a pod runs them, on an HDFS with Kerberos; see suites/kerberos."""

import datetime
import os
import shutil
import subprocess
import threading
import time

import manifest
import oracle
import topics
from suite import LIVE, SEED, SHORT, TMP, chosen, main, require, run, say, size, wait
from worker import Worker, end_all

REALM = "GRISTMILL.TEST"
URL = "hdfs://localhost:8220"
TOPIC = "kerberos"
PARTITIONS = 4
# Commits for longer than two tickets live, and a bit.
SECONDS = size(510, 20)
RATE = size(20, 50)
# When the NameNode is started anew: the first ticket is over, and then the second.
RESTARTS = size([200, 400], [])
# A ticket that is refreshed in good time is asked for before these.
TICKETS = size(3, 1)
HOME = os.path.join(os.environ["GRISTMILL_LIVE_RUN"], "hdfs-kerberos")
SCRIPT = os.path.join(LIVE, "hdfs_kerberos.sh")


def principal(user):
    return f"{user}@{REALM}"


class Pod:
    """What a pod has mounted at /etc/gristmill, and our CLI inside the image with it."""

    def __init__(self, name, user="etl", keytab_of=None):
        self.etc = os.path.join(TMP, name)
        shutil.rmtree(self.etc, ignore_errors=True)
        conf = run(SCRIPT, "conf").strip()
        for file in ("core-site.xml", "hdfs-site.xml"):
            self.put("hadoop-conf", file, os.path.join(conf, file))
        self.put("krb5", "krb5.conf", os.path.join(conf, "krb5.conf"))
        self.put("keytab", "keytab", keytab(keytab_of or user))
        hadoop = {"configMapRef": {"name": "hadoop-conf"},
                  "kerberos": {"principal": principal(user), "keytabSecretKeyRef": {"name": "keytab", "key": "keytab"},
                               "krb5ConfigMapKeyRef": {"name": "krb5", "key": "krb5.conf"}}}
        self.raw, self.processed = f"{URL}/raw_zone/{name}", f"{URL}/processed_zone/{name}"
        documents = (manifest.ingest(name, TOPIC, self.raw, hadoop=hadoop), manifest.compaction(name, self.processed))
        shutil.copy(manifest.write(*documents), os.path.join(self.etc, "resource.yaml"))

    def put(self, name, key, file):
        """Readable by all, as the kubelet writes them: the pod's user is not root."""
        path = os.path.join(self.etc, "secrets", name, key)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        shutil.copy(file, path)
        os.chmod(path, 0o644)

    def program(self):
        return os.path.join(LIVE, "in_image.sh"), os.path.join(TMP, "rootfs"), self.etc

    def worker(self, *arguments):
        return Worker("/etc/gristmill/resource.yaml", "--secrets-dir", "/etc/gristmill/secrets", "--attach", *arguments,
                      program=self.program())

    def compact(self):
        return run(*self.program(), "compact", "-f", "/etc/gristmill/resource.yaml", "--secrets-dir",
                   "/etc/gristmill/secrets", "--spill-dir", "/tmp")


def keytab(user):
    path = os.path.join(TMP, f"{user}.keytab")
    if not os.path.exists(path):
        run(SCRIPT, "keytab", user, path)
    return path


def tickets(user):
    """Times at which the KDC gave the user a first ticket; those for services come by that one."""
    with open(os.path.join(HOME, "kdc.log"), encoding="utf-8") as log:
        return [line[:15] for line in log
                if "AS_REQ" in line and "ISSUE" in line and f"{principal(user)} for krbtgt/" in line]


def restart_namenode(begin):
    for at in RESTARTS:
        time.sleep(max(0.0, begin + at - time.monotonic()))
        say(f"the NameNode is started anew after {at} s; {len(tickets('etl'))} tickets so far")
        run(SCRIPT, "stop", "namenode")
        run(SCRIPT, "up")


def send(begin):
    """A message now and then, so that there is something to commit all the time."""
    number = 0
    while time.monotonic() < begin + SECONDS:
        topics.books(TOPIC, RATE * 5, SEED + number)
        number += 1
        time.sleep(max(0.0, begin + number * 5 - time.monotonic()))


def commit_times(worker):
    return [datetime.datetime.fromisoformat(line["timestamp"]) for line in worker.log() if line.get("message") == "committed"]


def ingest_outlives_tickets():
    pod = Pod("books")
    worker = pod.worker()
    begin = time.monotonic()
    others = [threading.Thread(target=target, args=(begin,)) for target in (send, restart_namenode)]
    for other in others:
        other.start()
    for other in others:
        while other.is_alive():
            worker.is_well()
            other.join(1)
    total = sum(topics.ends(TOPIC).values())
    wait("all messages are committed", lambda: worker.is_well() and sum(
        worker.status().get("messages", {}).get(name, 0) for name in ("accepted", "rejected")) == total)
    worker.drain()
    times, given = commit_times(worker), tickets("etl")
    longest = max((later - earlier for earlier, later in zip(times, times[1:])), default=datetime.timedelta())
    say(f"{len(times)} commits over {(times[-1] - times[0]).total_seconds():.0f} s, at most {longest.total_seconds():.0f} s "
        f"between two; {len(given)} tickets for etl, of three minutes each: {', '.join(given)}")
    require(len(given) >= TICKETS, f"the KDC gave {len(given)} tickets to etl, and {TICKETS} were needed")
    require(SHORT or (times[-1] - times[0]).total_seconds() >= 480, "commits did not go on for eight minutes")
    say(pod.compact().strip().splitlines()[1])
    check(pod)


def check(pod):
    """Both zones as Hadoop's own client copies them out, against the topic."""
    directory = os.path.join(TMP, "fetched")
    shutil.rmtree(directory, ignore_errors=True)
    os.makedirs(directory)
    name = os.path.basename(pod.raw)
    run(SCRIPT, "fs", "-get", f"/raw_zone/{name}", f"{directory}/raw")
    run(SCRIPT, "fs", "-get", f"/raw_zone/{name}_rejected", f"{directory}/rejected")
    run(SCRIPT, "fs", "-get", f"/processed_zone/{name}", f"{directory}/processed")
    expected = {0: oracle.Expected(oracle.read_topic(TOPIC)[0])}
    raw = oracle.check_raw(f"{directory}/raw", expected, TOPIC)
    rejects = oracle.check_rejects(f"{directory}/rejected", expected)
    processed = oracle.check_processed(f"{directory}/processed", expected[0], raw["topic_id"])
    oracle.summary(expected, **raw, **rejects, **processed)
    ticket_of_a_laptop(pod, expected)
    shutil.rmtree(directory)


def ticket_of_a_laptop(pod, expected):
    """Without a resource it is the ticket of kinit that counts, as for Hadoop's own clients."""
    conf = run(SCRIPT, "conf").strip()
    os.environ |= {"KRB5_CONFIG": f"{conf}/krb5.conf", "HADOOP_CONF_DIR": conf, "KRB5CCNAME": f"FILE:{TMP}/etl.ticket"}
    run("kinit", "-k", "-t", keytab("etl"), principal("etl"))
    # No --user: with a ticket that is whom etl would act for.
    oracle.check_identity(pod.raw, expected, user=())
    say("inspect with the ticket of kinit tells the same figures")
    for name in ("KRB5_CONFIG", "HADOOP_CONF_DIR", "KRB5CCNAME"):
        del os.environ[name]


def refused():
    """Nobody comes in without a ticket, or with the keys of somebody else."""
    simple = manifest.write(manifest.ingest("simple", TOPIC, f"{URL}/raw_zone/simple"))
    wrong = Pod("wrong", keytab_of="somebody")
    for name, words, command in (
        # A NameNode with privacy hangs up on whoever does not speak SASL, without a word: what to look at is ours to say.
        ("without Kerberos", "spec.hadoop.kerberos", ["gristmill", "ingest", "-f", simple]),
        ("another's keytab", f"login of {principal('etl')} with keytab", [*wrong.program(), "ingest", "-f", "/etc/gristmill/resource.yaml", "--secrets-dir", "/etc/gristmill/secrets"]),
    ):
        done = subprocess.run([*command, "--attach", "--until-caught-up", "--wait", "5s"], text=True, capture_output=True)
        sentence = done.stderr.strip().rsplit("\n", 1)[-1]
        say(f"{name}: exit {done.returncode}: {sentence}")
        require(done.returncode == 5 and words in sentence, f"{name}: {done.stderr}")


def work():
    topics.create(TOPIC, PARTITIONS)
    for part in chosen(refused, ingest_outlives_tickets):
        part()


if __name__ == "__main__":
    try:
        main(work)
    finally:
        end_all()
