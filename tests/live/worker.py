"""One worker process: started, watched from outside, killed, stopped, woken."""

import itertools
import json
import os
import re
import signal
import subprocess
import threading
import time
import urllib.request

from suite import TMP, require, say

# Memory that a worker is told by default, and what of it is no buffer.
MEMORY_MIB = 256
OUTSIDE_BUDGET_MIB = 96

_ports = itertools.count(18080)
_numbers = itertools.count(1)


class Worker:
    """`gristmill ingest` as a process of its own, with its log in the suite's folder."""

    def __init__(self, manifest, *arguments, memory_mib=MEMORY_MIB, environment=None, name=None,
                 program=("gristmill",)):
        self.name = name or f"worker-{next(_numbers)}"
        self.memory_mib = memory_mib
        self.port = next(_ports)
        self.log_path = os.path.join(TMP, f"{self.name}.log")
        self.most_kib = 0
        command = [*program, "--log-format", "json", "ingest", "-f", manifest, "--memory", f"{memory_mib}Mi",
                   "--admin-addr", f"127.0.0.1:{self.port}", *arguments]
        with open(self.log_path, "w", encoding="utf-8") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                                            env={**os.environ, **(environment or {})})
        _sampler.watch(self)

    @property
    def pid(self):
        return self.process.pid

    def is_alive(self):
        return self.process.poll() is None

    def status(self):
        """What /status says, or {} while it does not answer."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/status", timeout=5) as answer:
                return json.load(answer)
        except (OSError, ValueError):
            return {}

    def log(self):
        """The lines of its log as objects; lines of a panic or of the last word as {"message": ...}."""
        with open(self.log_path, encoding="utf-8", errors="replace") as log:
            for line in log:
                try:
                    yield json.loads(line)
                except ValueError:
                    yield {"message": line.rstrip("\n")}

    def last_words(self):
        return "\n".join(line.get("message", "") for line in list(self.log())[-5:])

    def last_word(self):
        """The sentence that it ended with."""
        return self.last_words().rsplit("\n", 1)[-1]

    def commits(self):
        """Sequences of the entries that this process says it appended."""
        return [line["sequence"] for line in self.log() if line.get("message") == "committed"]

    def measure(self):
        """Peak resident memory so far, in KiB."""
        try:
            with open(f"/proc/{self.pid}/status", encoding="ascii") as status:
                found = re.search(r"VmHWM:\s+(\d+) kB", status.read())
        except (FileNotFoundError, ProcessLookupError):
            return
        if found:
            self.most_kib = max(self.most_kib, int(found[1]))

    def kill(self):
        """As a crash: SIGKILL, so that nothing can drain."""
        self.measure()
        self.process.kill()
        self.process.wait()

    def stop(self):
        self.process.send_signal(signal.SIGSTOP)

    def wake(self):
        self.process.send_signal(signal.SIGCONT)

    def drain(self, limit=120):
        """SIGTERM: it commits what it read and ends in order."""
        self.measure()
        self.process.terminate()
        code = self.join(limit)
        require(code == 0, f"{self.name} drained with exit {code}: {self.last_words()}")

    def is_well(self):
        """True, or the suite ends with its last words: nobody may end who was not ended."""
        require(self.is_alive(), f"{self.name} ended with exit {self.process.poll()}: {self.last_words()}")
        return True

    def join(self, limit=240):
        """The exit code, once it ends by itself."""
        try:
            return self.process.wait(limit)
        except subprocess.TimeoutExpired:
            require(False, f"{self.name} did not end within {limit} s; its log: {self.log_path}")


class _Sampler(threading.Thread):
    """Reads VmHWM of all workers over and over: it is gone with the process, whoever ends it."""

    def __init__(self):
        super().__init__(daemon=True)
        self.workers = []

    def watch(self, worker):
        self.workers.append(worker)
        if not self.is_alive():
            self.start()

    def run(self):
        while True:
            for worker in list(self.workers):
                if worker.is_alive():
                    worker.measure()
            time.sleep(0.2)


_sampler = _Sampler()


def run_to_end(manifest, *arguments, expect=0, **options):
    """A worker until it has caught up; its exit code must be the expected one."""
    worker = Worker(manifest, "--until-caught-up", *arguments, **options)
    code = worker.join()
    require(code == expect, f"{worker.name}: exit {code}, expected {expect}: {worker.last_words()}")
    return worker


def run_and_kill(command, seconds):
    """Begins a command and ends it with SIGKILL after so long; the code that it had ended with by then, if it had."""
    with open(os.path.join(TMP, "killed.log"), "w", encoding="utf-8") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    time.sleep(seconds)
    ended = process.poll()
    process.kill()
    process.wait()
    return ended


def check_memory(*workers):
    """VmHWM of each is at most its budget and 96 MiB, which together are what it was told."""
    workers = workers or tuple(_sampler.workers)
    for worker in workers:
        worker.measure()
    peaks = [worker.most_kib / 1024 for worker in workers]
    say(f"memory: VmHWM {', '.join(f'{peak:.0f}' for peak in peaks)} MiB of {len(workers)} workers, "
        f"limit budget + {OUTSIDE_BUDGET_MIB} = {max(worker.memory_mib for worker in workers)} MiB")
    for worker, peak in zip(workers, peaks):
        require(peak > 0, f"no memory was read of {worker.name}")
        require(peak <= worker.memory_mib, f"{worker.name} used {peak:.0f} MiB, and was told {worker.memory_mib}")


def end_all():
    """No worker outlives its suite."""
    for worker in _sampler.workers:
        if worker.is_alive():
            worker.kill()
