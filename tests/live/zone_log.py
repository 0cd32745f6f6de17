"""The log of a zone as an outsider sees it: over WebHDFS, or in a copy on this machine. None of our code reads it."""

import glob
import json
import os
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

from suite import LIVE, run

class Hdfs:
    """WebHDFS of one or more NameNodes, of which one is active, and Hadoop's own client beside it."""

    def __init__(self, *bases, script="hdfs.sh"):
        self.bases, self.script = bases, os.path.join(LIVE, script)

    def fs(self, *arguments):
        run(self.script, "fs", *arguments)

    def ask(self, path, operation, method="GET", **parameters):
        """The answer as JSON; None where there is no such path."""
        query = urllib.parse.urlencode({"op": operation, **parameters})
        refusal = None
        for base in self.bases:
            request = urllib.request.Request(f"{base}{urllib.parse.quote(path)}?{query}", method=method)
            try:
                with urllib.request.urlopen(request, timeout=30) as answer:
                    return json.loads(answer.read() or b"{}")
            except urllib.error.HTTPError as error:
                if error.code == 404:
                    return None
                refusal = error
            except OSError as error:
                refusal = error
        raise refusal

    def list(self, path):
        """Statuses of what is in a folder; none where there is no folder."""
        listing = self.ask(path, "LISTSTATUS")
        return [] if listing is None else listing["FileStatuses"]["FileStatus"]

    def files(self, path):
        """Paths of all files below a folder."""
        for entry in self.list(path):
            below = f"{path}/{entry['pathSuffix']}"
            if entry["type"] == "FILE":
                yield below
            else:
                yield from self.files(below)

    def is_under_construction(self, path):
        """Whether its writer has not closed it; a file that is gone is not."""
        blocks = self.ask(path, "GET_BLOCK_LOCATIONS")
        return blocks is not None and blocks["LocatedBlocks"]["isUnderConstruction"]


HDFS = Hdfs(os.environ["WEBHDFS_URL"])


def slot(sequence):
    return f"{sequence:020}.json"


def moves(body):
    """What a data entry says of each partition."""
    return body["partitions"] if body["kind"] == "Data" else ()


class Watch(threading.Thread):
    """Reads a zone's entries on HDFS as they come, and notes when each was seen first.

    While the NameNode or the DataNode is away nothing is seen, and nothing is wrong.
    """

    def __init__(self, zone_path, hdfs=HDFS):
        super().__init__(daemon=True)
        self.zone_path, self.hdfs = zone_path, hdfs
        self.folder = None
        self.bodies, self.seen = [], []
        self.ended = False
        self.start()

    @property
    def head(self):
        return len(self.bodies) - 1

    def run(self):
        while not self.ended:
            try:
                if not self.look():
                    time.sleep(0.1)
            except OSError:
                time.sleep(0.5)

    def look(self):
        if self.folder is None:
            folders = [entry for entry in self.hdfs.list(f"{self.zone_path}/_log") if entry["type"] == "DIRECTORY"]
            if not folders:
                return False
            self.folder = f"{self.zone_path}/_log/{folders[0]['pathSuffix']}"
        body = self.hdfs.ask(f"{self.folder}/{slot(self.head + 1)}", "OPEN")
        if body is None:
            return False
        self.seen.append(time.monotonic())
        self.bodies.append(body)
        return True

    def seen_commits(self, worker):
        """Sequences of a worker's entries that were seen: it may have said more than was read yet."""
        return [sequence for sequence in worker.commits() if sequence <= self.head]

    def partitions_of(self, incarnation, last=2):
        """Partitions that its last entries moved."""
        mine = [body for body in list(self.bodies) if body["incarnation"] == incarnation]
        return {moved["partition"] for body in mine[-last:] for moved in moves(body)}

    def next_offsets(self):
        """Where each partition stands: the newest entry that moves it decides."""
        offsets = {}
        for body in list(self.bodies):
            offsets.update({moved["partition"]: moved["to"] for moved in moves(body)})
        return offsets

    def moved_after(self, sequence):
        """When each partition was moved first by an entry behind this one."""
        moments = {}
        for body, moment in list(zip(self.bodies, self.seen))[sequence + 1:]:
            for moved in moves(body):
                moments.setdefault(moved["partition"], moment)
        return moments


def entries(directory):
    """Bodies by sequence, from a zone's directory on this machine."""
    files = glob.glob(os.path.join(directory, "_log", "*", "[0-9]*.json"))
    bodies = {}
    for file in files:
        with open(file, encoding="utf-8") as body:
            bodies[int(os.path.basename(file).removesuffix(".json"))] = json.load(body)
    return dict(sorted(bodies.items()))
