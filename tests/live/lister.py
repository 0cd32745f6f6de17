"""A reader that lists a zone again and again while others write it, as DuckDB and Spark do: judged by the log afterwards."""

import threading
import time

from suite import require, say
from zone_log import HDFS


class Lister(threading.Thread):
    """Notes every set of published files that was there at one moment.

    A walk over directories is no snapshot. Two walks in a row that found the same are: what the second found first was
    there after the first had found its last.
    """

    def __init__(self, zone_path, hdfs=HDFS):
        super().__init__(daemon=True)
        self.zone_path, self.hdfs = zone_path, hdfs
        self.walks, self.views, self.failure = 0, [], None
        self.ended = False
        self.start()

    def run(self):
        try:
            before = None
            while not self.ended:
                found = frozenset(self.walk())
                self.walks += 1
                if found == before and (not self.views or self.views[-1] != found):
                    self.views.append(found)
                before = found
                time.sleep(0.01)
        except Exception as error:  # pylint: disable=broad-except
            self.failure = error

    def walk(self):
        """Paths below the zone's partition directories, relative to the zone."""
        for entry in self.hdfs.list(self.zone_path):
            if entry["type"] == "DIRECTORY" and "=" in entry["pathSuffix"]:
                for path in self.hdfs.files(f"{self.zone_path}/{entry['pathSuffix']}"):
                    yield path.removeprefix(f"{self.zone_path}/")

    def end(self, entries):
        """No view had a file that no entry adds, nor a file beside those that an entry put in its place."""
        self.ended = True
        self.join()
        require(self.failure is None, f"the lister could not list: {self.failure!r}")
        committed = {file["path"] for body in entries.values() for file in body.get("added", ())}
        for view in self.views:
            require(view <= committed, f"a listing had files that no entry adds: {sorted(view - committed)[:5]}")
            for sequence, body in entries.items():
                removed = view & {file["path"] for file in body.get("removed", ())}
                added = view & {file["path"] for file in body.get("added", ())}
                require(not (removed and added), f"a listing had {sorted(removed)[:2]} beside {sorted(added)[:2]}, "
                                                 f"which entry {sequence} put in their place")
        say(f"lister: {self.walks} walks, {len(self.views)} different views, no file uncommitted, none beside its successor")
