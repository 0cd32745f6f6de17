"""An upgrade by Helm while messages flow; see suites/upgrade."""

import glob
import json
import os
import re
import shutil

import yaml

import manifest
import oracle
import quickstart
import topics
from failures import OPERATOR, apply, names, pods, ready_pods
from quickstart import condition, get, kubectl, refused, wait
from suite import BOOTSTRAP_PODS, ROOT, SEED, TMP, chosen, main, require, run, say, size

CHART = f"{ROOT}/charts/gristmill"
OLDER = "0.0.9"
OLD_CHART, OLD_DEFINITIONS = f"{TMP}/gristmill-{OLDER}", f"{TMP}/crds-{OLDER}"
TOPIC = NAME = "upgrade"
NAMESPACE = quickstart.NAMESPACE
RAW = f"{os.environ['HDFS_URL']}/raw_zone/{NAME}"
LABEL = f"gristmill.dev/stream-ingest={NAME}"
KINDS = ("streamingest", "hourlycompaction")
WORKERS = 2
RATE = size(200, 100)
# More than are read: they end with the suite.
COUNT = 1_000_000

# Fields that the older definitions lack, by kind: one of the spec, and one that the operator writes.
NEW_FIELDS = {"StreamIngest": ("spec.scaling.scaleDownInterval", "status.watermark"),
              "HourlyCompaction": ("spec.startingDeadline", "status.nextRunTime")}
NEW_SPEC = {"StreamIngest": {"scaling": {"scaleDownInterval": "2h"}}, "HourlyCompaction": {"startingDeadline": "40m"}}


def older(definition):
    """The definition as it may have been before these fields were thought of."""
    schema = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    for field in NEW_FIELDS[definition["spec"]["names"]["kind"]]:
        *blocks, last = field.split(".")
        block = schema
        for each in blocks:
            block = block["properties"][each]
        del block["properties"][last]
    return yaml.safe_dump(definition)


def make_older():
    """A chart of a lower version, whose image is that version's, and the definitions of it for kubectl."""
    for directory in (OLD_CHART, OLD_DEFINITIONS):
        shutil.rmtree(directory, ignore_errors=True)
    shutil.copytree(CHART, OLD_CHART)
    with open(f"{OLD_CHART}/Chart.yaml", "r+", encoding="utf-8") as file:
        text, count = re.subn(r'^(version|appVersion): .*$', rf'\1: "{OLDER}"', file.read(), flags=re.MULTILINE)
        require(count == 2, "Chart.yaml has no version and appVersion")
        file.seek(0)
        file.truncate()
        file.write(text)
    for path in glob.glob(f"{OLD_CHART}/templates/crds/*.yaml"):
        with open(path, encoding="utf-8") as file:
            *head, body = file.read().partition("apiVersion:")
        definition = yaml.safe_load("apiVersion:" + body.removesuffix("{{- end }}\n"))
        with open(path, "w", encoding="utf-8") as file:
            file.write(f"{head[0]}{older(definition)}{{{{- end }}}}\n")
    os.makedirs(OLD_DEFINITIONS)
    for path in glob.glob(f"{ROOT}/crds/*.yaml"):
        with open(path, encoding="utf-8") as file, \
                open(f"{OLD_DEFINITIONS}/{os.path.basename(path)}", "w", encoding="utf-8") as out:
            out.write(older(yaml.safe_load(file)))


def documents(new=False):
    ingest = manifest.ingest(NAME, TOPIC, f"{os.environ['HDFS_URL_PODS']}/raw_zone/{NAME}", bootstrap=BOOTSTRAP_PODS,
                             scaling={"mode": "Manual", "replicas": WORKERS})
    compaction = manifest.compaction(NAME, f"{os.environ['HDFS_URL_PODS']}/processed_zone/{NAME}")
    return [manifest.merged(each, {"spec": NEW_SPEC[each["kind"]]} if new else {}) for each in (ingest, compaction)]


def clean():
    """Neither operator nor definitions nor resources; zones and topics stay."""
    run("helm", "uninstall", "gristmill", "-n", OPERATOR, "--ignore-not-found", "--wait")
    kubectl("delete", "-f", f"{ROOT}/crds/", "--ignore-not-found")
    wait("no pod of it is left", lambda: not every_pod())


def every_pod():
    return json.loads(kubectl("get", "pods", "-n", NAMESPACE, "-l", LABEL, "-o", "json"))["items"]


def helm(verb, chart, *arguments):
    run("helm", verb, "gristmill", chart, "-n", OPERATOR, "--create-namespace", *arguments)


def committed():
    return quickstart.log(RAW)["messages"]


def flows(feed, what):
    """Messages that are sent from now on are committed, by as many workers as are wanted."""
    wanted = sum(topics.ends(TOPIC).values()) + RATE
    wait(f"{what}: messages of after it are committed", lambda: feed.go_on() or committed() >= wanted)
    wait(f"{what}: {WORKERS} workers are ready", lambda: len(ready_pods(label=LABEL)) == WORKERS)
    wait(f"{what}: Ready", lambda: condition(KINDS[0], "Ready", NAME).get("status") == "True")


def images(found):
    return {container["image"] for pod in found for container in pod["spec"]["containers"]}


def upgrade(*arguments):
    """The new chart over the old one: at no look is more than one worker missing."""
    before = names(pods(label=LABEL))
    least = WORKERS

    def rolled():
        nonlocal least
        ready = ready_pods(label=LABEL)
        least = min(least, len(ready))
        return len(ready) == WORKERS and images(ready) == {"gristmill:0.1.0"}

    require(images(pods(label=LABEL)) == {f"gristmill:{OLDER}"}, "the older chart did not bring the older image")
    helm("upgrade", CHART, *arguments)
    wait("all workers have the new image", rolled)
    require(least >= WORKERS - 1, f"only {least} of {WORKERS} workers were ready during the upgrade")
    require(not names(ready_pods(label=LABEL)) & before, "a worker has the new image and is none of the new pods")
    say(f"of {WORKERS} workers at least {least} were ready all the time")


def accepted(reason):
    """Both kinds say so, and pods run meanwhile."""
    told = {kind: condition(kind, "Accepted", NAME) for kind in KINDS}
    return told if all((each.get("status"), each.get("reason")) == ("True", reason) for each in told.values()) else None


def takes_new_fields():
    wait("both kinds are Valid", lambda: accepted("Valid"))
    apply(*documents(new=True))
    for document in documents(new=True):
        held = get(document["kind"], NAME)["spec"]
        require(manifest.merged(held, NEW_SPEC[document["kind"]]) == held, f"the new field was dropped: {held}")
    say(f"new fields are taken: {NEW_SPEC}")
    written = lambda: all(NEW_FIELDS[each["kind"]][1].split(".")[1] in get(each["kind"], NAME)["status"] for each in documents())
    wait("new fields of the status are written", written)


def refuses_new_fields():
    for document in documents(new=True):
        sentence = refused(json.dumps(document))
        field = NEW_FIELDS[document["kind"]][0]
        require(f'unknown field "{field}"' in sentence, f"the older definition knows {field}: {sentence}")


def established():
    """`kubectl wait` fails on a definition that has no conditions yet."""
    definitions = lambda: json.loads(kubectl("get", "crd", "-l", "app.kubernetes.io/part-of=gristmill", "-o", "json"))["items"]
    is_so = lambda definition: any(each["type"] == "Established" and each["status"] == "True"
                                   for each in definition.get("status", {}).get("conditions") or [])
    wait("the older definitions are established", lambda: [is_so(each) for each in definitions()] == [True] * len(KINDS))


def by_helm(feed):
    """The definitions are part of the release."""
    helm("install", OLD_CHART)
    established()
    apply(*documents())
    flows(feed, "installed by Helm")
    refuses_new_fields()
    upgrade()
    takes_new_fields()
    flows(feed, "upgraded by Helm")


def by_administrator(feed):
    """The definitions are left to kubectl, which nobody thought of."""
    kubectl("apply", "--server-side", "-f", OLD_DEFINITIONS)
    established()
    helm("install", OLD_CHART, "--set", "crds.install=false")
    apply(*documents())
    flows(feed, "installed without definitions")
    upgrade("--set", "crds.install=false")
    for kind, told in wait("both kinds are CRDOutdated", lambda: accepted("CRDOutdated")).items():
        say(f"{kind} Accepted={told['status']} {told['reason']}: {told['message']}")
        wanted = next(fields for name, fields in NEW_FIELDS.items() if name.lower() == kind)
        require(all(field in told["message"] for field in wanted), f"the message does not name {wanted}: {told['message']}")
        require("kubectl apply --server-side -f crds/" in told["message"], f"no next act: {told['message']}")
    flows(feed, "upgraded without definitions")
    refuses_new_fields()
    before = names(pods(label=LABEL))
    kubectl("apply", "--server-side", "-f", f"{ROOT}/crds/")
    takes_new_fields()
    require(names(pods(label=LABEL)) == before, "definitions that were applied replaced a worker")
    flows(feed, "definitions applied")


@quickstart.explained()
def work():
    make_older()
    kubectl("apply", "-f", f"{ROOT}/manifests/quickstart/00-namespace.yaml")
    # What another suite has left.
    kubectl("delete", "-k", f"{ROOT}/manifests/operator", "--ignore-not-found")
    topics.create(TOPIC, WORKERS)
    feed = topics.Feed(TOPIC, COUNT, SEED, RATE)
    try:
        for part in chosen(by_helm, by_administrator):
            clean()
            part(feed)
    finally:
        feed.end()
    count = sum(topics.ends(TOPIC).values())
    wait("all messages are committed", lambda: committed() == count)
    messages, _ = oracle.read_topic(TOPIC)
    oracle.check_ingest(RAW, TOPIC, oracle.Expected(messages))
    clean()


if __name__ == "__main__":
    main(work)
