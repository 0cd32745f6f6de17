"""Documents for the suites: the StreamIngest of manifests/quickstart, pointed at another topic and zone.

Its record block stays as it is, so that one set of rules serves all suites; the oracle reads them from the file too.
"""

import copy
import json
import os

import yaml

from suite import BOOTSTRAP, ROOT, TMP


def _documents():
    with open(os.path.join(ROOT, "manifests/quickstart/books.yaml"), encoding="utf-8") as file:
        return list(yaml.safe_load_all(file))


INGEST, COMPACTION = _documents()
RECORD = INGEST["spec"]["record"]
# The share of bad messages is on purpose: only the suite of the budget itself shall be held by it.
NO_HOLD = {"action": "Continue"}


def merged(base, changes):
    """A copy of the base with the changes laid over it; None removes a key."""
    if not isinstance(base, dict) or not isinstance(changes, dict):
        return copy.deepcopy(changes)
    result = {key: copy.deepcopy(value) for key, value in base.items() if changes.get(key, 0) is not None}
    for key, value in changes.items():
        if value is not None:
            result[key] = merged(base.get(key, {}), value)
    return result


def ingest(name, topic, raw_path, max_age="5s", bootstrap=BOOTSTRAP, **blocks):
    """A StreamIngest as a dictionary; `kafka`, `record`, `raw`, `rejected` and `rewind` are laid over it."""
    spec = {
        "source": {"kafka": merged({"bootstrapServers": bootstrap, "topic": topic}, blocks.pop("kafka", {}))},
        "record": merged(RECORD, blocks.pop("record", {})),
        "raw": merged({"path": raw_path, "files": {"maxAge": max_age}}, blocks.pop("raw", {})),
        "rejected": merged(NO_HOLD, blocks.pop("rejected", {})),
    }
    if raw_path.startswith("hdfs://"):
        spec["hadoop"] = {"simple": {"user": "etl"}}
    spec.update(blocks)
    return {"apiVersion": INGEST["apiVersion"], "kind": "StreamIngest",
            "metadata": {"name": name, "namespace": "library"}, "spec": spec}


def compaction(name, processed_path, **blocks):
    """The HourlyCompaction of the quickstart for that StreamIngest; blocks of its spec are laid over it."""
    spec = {"ingestRef": {"name": name}, "processed": {"path": processed_path}}
    return merged(merged(COMPACTION, {"metadata": {"name": name}, "spec": spec}), {"spec": blocks})


def write(*documents, file=None):
    """One file of documents; its path. JSON is YAML, and every string in it is quoted."""
    path = os.path.join(TMP, file or f"{documents[0]['metadata']['name']}.yaml")
    with open(path, "w", encoding="utf-8") as out:
        out.write("\n---\n".join(json.dumps(document, indent=1) for document in documents))
    return path
