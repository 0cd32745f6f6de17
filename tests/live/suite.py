"""What every suite has: its size, its seed, a voice, and waiting that ends."""

import json
import os
import subprocess
import sys
import time

LIVE = os.environ["GRISTMILL_LIVE"]
ROOT = os.path.dirname(os.path.dirname(LIVE))
TMP = os.environ["SUITE_TMP"]
NAME = os.path.basename(TMP)
BOOTSTRAP = os.environ["KAFKA_BOOTSTRAP"]
BOOTSTRAP_PODS = os.environ["KAFKA_BOOTSTRAP_PODS"]
HDFS_URL = os.environ["HDFS_URL"]

SHORT = os.environ.get("GRISTMILL_LIVE_SHORT") == "1"
SEED = int(os.environ.get("GRISTMILL_LIVE_SEED", "42"))
# Seconds that any single condition may take: generous, since no suite asserts a time. What it took is printed.
LIMIT = 240

_begin = time.monotonic()


def size(full, short):
    """The figure of the full or of the short form: same code, same oracle."""
    return short if SHORT else full


def say(text):
    print(f"{NAME:<12} {time.monotonic() - _begin:6.1f} s  {text}", flush=True)


class Failed(SystemExit):
    """The suite's verdict; a sentence for people."""


def require(holds, sentence):
    if not holds:
        raise Failed(f"{NAME}: {sentence}")


def wait(what, condition, limit=LIMIT, pause=0.2):
    """Until the condition gives something; what it took is printed."""
    begin = time.monotonic()
    while True:
        value = condition()
        if value:
            say(f"{what}: {time.monotonic() - begin:.1f} s")
            return value
        require(time.monotonic() - begin < limit, f"waited {limit} s in vain: {what}")
        time.sleep(pause)


def run(*command, **options):
    """Standard output of a command that must succeed."""
    # Nobody is there to answer a question.
    options.setdefault("input", "")
    done = subprocess.run(command, text=True, capture_output=True, **options)
    require(done.returncode == 0, f"{' '.join(command)}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def gristmill_json(*arguments):
    return json.loads(run("gristmill", *arguments, "--json"))


def chosen(*parts):
    """The suite's parts, or those that GRISTMILL_LIVE_ONLY names, by commas: for whoever works at one of them."""
    only = os.environ.get("GRISTMILL_LIVE_ONLY")
    return [part for part in parts if not only or part.__name__ in only.split(",")]


def main(work):
    """Runs the suite; a failure is one sentence, and the files stay for whoever looks."""
    say(f"{'short' if SHORT else 'full'} form, seed {SEED}")
    try:
        work()
    except Failed as failed:
        print(failed, file=sys.stderr)
        sys.exit(1)
