"""kubectl gristmill on the quickstart, as a user who has the ClusterRole gristmill-plugin in one namespace and nothing else."""

import json
import os
import subprocess

from suite import TMP, require, run, say, wait

NAMESPACE = "library"
USER = "plugin-user"


def kubectl(*arguments):
    return run("kubectl", *arguments)


def begin():
    """A kubeconfig of that user; later commands of the plugin are his."""
    kubectl("create", "serviceaccount", USER, "-n", NAMESPACE)
    kubectl("create", "rolebinding", USER, "-n", NAMESPACE, "--clusterrole=gristmill-plugin",
            f"--serviceaccount={NAMESPACE}:{USER}")
    config = json.loads(kubectl("config", "view", "--raw", "--minify", "--flatten", "-o", "json"))
    config["users"][0]["user"] = {"token": kubectl("create", "token", USER, "-n", NAMESPACE, "--duration=2h").strip()}
    with open(kubeconfig(), "w", encoding="ascii") as file:
        json.dump(config, file)


def kubeconfig():
    return os.path.join(TMP, f"{USER}.kubeconfig")


def plugin(*arguments):
    text = run("kubectl", "gristmill", *arguments, "-n", NAMESPACE, "--kubeconfig", kubeconfig())
    wide = [line for line in text.splitlines() if len(line) > 100 and not line.startswith(("{", "[", " ", "}"))]
    require("-o" in arguments or arguments[0] == "logs" or not wide, f"{arguments}: wider than 100 columns: {wide}")
    return text


def show(*arguments):
    text = plugin(*arguments)
    print(f"$ kubectl gristmill {' '.join(arguments)} -n {NAMESPACE}\n{text}", flush=True)
    return text


def asked(*arguments):
    return json.loads(plugin(*arguments, "-o", "json"))


def refused(words, *arguments):
    done = subprocess.run(["kubectl", "gristmill", *arguments, "--kubeconfig", kubeconfig()], text=True, capture_output=True)
    require(done.returncode == 1 and words in done.stderr, f"{arguments}: exit {done.returncode}, expected {words!r}: {done.stderr}")
    say(done.stderr.strip())


def look(messages):
    """What it shows is what the log holds."""
    wait("status: fine", lambda: all(one["verdict"]["fine"] == "yes" for one in asked("status")))
    show("status")
    show("lag")
    partitions = wait("a worker that tells its partitions", lambda: caught_up("books"))
    require(sum(one["end"] for one in partitions) == messages, f"{messages} messages, and partitions are {partitions}")
    show("lag", "books", "--partitions")
    told = asked("rejected", "books")["rejected"]
    require(told["told"] == told["asked"] > 0 and told["messages"]["rejected"] > 0, f"rejected: {told}")
    show("rejected", "books")
    plan = asked("rewind", "books", "--to-earliest", "--dry-run")["plan"]
    require((plan["readAgain"], plan["skipped"]) == (messages, 0), f"{messages} messages, and the plan is {plan}")
    show("rewind", "books", "--to-timestamp", "2026-01-01T00:00:00Z", "--dry-run")
    require(plugin("logs", "sti/books", "--tail", "3").strip(), "the worker has no log")
    refused("there is sti/books, hc/books", "suspend", "boks", "-n", NAMESPACE)
    refused("must not list streamingests.gristmill.dev in all namespaces", "status", "-A")


def caught_up(name):
    partitions = asked("lag", name, "--partitions")
    return partitions if partitions and all(one["next"] == one["end"] for one in partitions) else None


def run_now(words):
    text = show("run-now", "books", "--wait")
    require("succeeded" in text and words in text, f"the run is told without {words!r}")


def suspend_and_resume():
    def pods():
        return json.loads(kubectl("get", "pods", "-n", NAMESPACE, "-l", "gristmill.dev/stream-ingest=books", "-o", "json"))["items"]

    show("suspend", "sti/books")
    wait("no pod of a suspended ingest", lambda: not pods())
    wait("suspended in the status", lambda: asked("status", "sti/books")[0]["verdict"]["reason"] == "Suspended")
    show("status", "sti/books")
    show("resume", "books")
    wait("reads again", lambda: asked("status", "sti/books")[0]["verdict"]["reason"] == "Ingesting")
