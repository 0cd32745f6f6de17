"""What a program takes of the machine: seconds, CPU seconds and memory of it and of all that it starts."""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import tempfile
import time

CORES = len(os.sched_getaffinity(0))

# prctl(2): whoever is left alone by its parent becomes our child, so that the kernel counts it for us. A JVM that a
# Python program has started outlives it by a moment.
PR_SET_CHILD_SUBREAPER = 36
# What is left of a program that has ended is asked to go after this time.
LEFT_OVER_SECONDS = 30
TICKS = os.sysconf("SC_CLK_TCK")


def adopt_orphans():
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")


class Program:
    """A process with all that it starts, in a session of its own. Nothing else may be our child while it runs.

    The memory is the sum of the largest resident sizes. The kernel begins that figure with our own size, so whoever
    measures stays small: no PyArrow, no DuckDB.
    """

    def __init__(self, command, log, environment=None, output=None):
        """What it prints goes to the log, or to a file of its own."""
        self.log, self.name = log, os.path.basename(command[0])
        self.begin = time.monotonic()
        with open(log, "w", encoding="utf-8") as complaints, open(output or os.devnull, "w", encoding="utf-8") as printed:
            self.process = subprocess.Popen(command, stdout=printed if output else complaints, stderr=complaints,
                                            stdin=subprocess.DEVNULL, start_new_session=True,
                                            env={**os.environ, **(environment or {})})
        self.cpu = self.peak = 0
        self.seconds = self.code = None

    def since_start(self):
        return time.monotonic() - self.begin

    def has_ended(self):
        return self.code is not None or self._reap(os.WNOHANG)

    def _reap(self, options):
        """One child, if there is one; whether the program itself has ended."""
        with contextlib.suppress(ChildProcessError):
            pid, status, usage = os.wait4(-1, options)
            if pid:
                self.cpu += usage.ru_utime + usage.ru_stime
                self.peak += usage.ru_maxrss / 1024
            if pid == self.process.pid:
                self.seconds = self.since_start()
                self.code = self.process.returncode = os.waitstatus_to_exitcode(status)
        return self.code is not None

    def join(self):
        """Until the program and all that it has started are gone; what they took."""
        while self.code is None:
            self._reap(0)
        ask, asked = time.monotonic() + LEFT_OVER_SECONDS, False
        while self._living():
            self._reap(os.WNOHANG)
            if not asked and time.monotonic() > ask:
                self._signal(signal.SIGKILL)
                asked = True
            time.sleep(0.005)
        return {"seconds": self.seconds, "cpu": self.cpu, "peak": self.peak}

    def check(self):
        """Ends everything with the program's last words, if it has failed."""
        if self.code:
            sys.exit(f"{self.name} ended with {self.code}: {read(self.log)[-3000:]}")

    def end(self):
        """Asked to end, as a service is."""
        self._signal(signal.SIGTERM)
        return self.join()

    def _signal(self, number):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)

    def _living(self):
        """Ours until they are reaped; a session has one process group here."""
        try:
            os.killpg(self.process.pid, 0)
        except ProcessLookupError:
            return False
        return True

    def cpu_so_far(self):
        """CPU seconds of the session's living processes."""
        ticks = 0
        for pid in filter(str.isdigit, os.listdir("/proc")):
            # A process may end while it is looked at.
            with contextlib.suppress(OSError), open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stat:
                fields = stat.read().rsplit(")", 1)[1].split()
                if int(fields[3]) == self.process.pid:
                    ticks += int(fields[11]) + int(fields[12])
        return ticks / TICKS


def read(path):
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()


def took(command):
    """Runs a program to its end: what it took, what it printed, and its log."""
    with tempfile.TemporaryDirectory() as folder:
        log, output = os.path.join(folder, "log"), os.path.join(folder, "output")
        program = Program([str(word) for word in command], log, output=output)
        figures = program.join()
        program.check()
        return {**figures, "printed": read(output), "log": read(log)}
