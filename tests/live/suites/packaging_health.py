"""Runs Argo CD's health script over every combination of the conditions and generations that it can meet."""

import itertools
import json
import os

from suite import TMP, require, run

STATES = (None, "True", "False", "Unknown")
GENERATIONS = ({"observedGeneration": 2}, {"observedGeneration": 1}, {})


def expected(stalled, suspended, ready, observed):
    """The table of the guide: health, and the condition that gives the message."""
    if observed.get("observedGeneration") != 2:
        return "Progressing", None
    if stalled == "True":
        return "Degraded", "Stalled"
    if suspended == "True":
        return "Suspended", "Suspended"
    return ("Healthy" if ready == "True" else "Progressing"), (ready and "Ready")


def condition(kind, state):
    return {"type": kind, "status": state, "reason": f"{kind}Reason", "message": f"what {kind} says"}


def lua(value):
    """A value as Argo CD hands it to a script."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"[{json.dumps(key)}] = {lua(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "{" + ", ".join(map(lua, value)) + "}"
    return json.dumps(value)


def cases():
    for stalled, suspended, ready, observed in itertools.product(STATES, STATES, STATES, GENERATIONS):
        states = {"Accepted": "True", "Ready": ready, "Stalled": stalled, "Suspended": suspended}
        health, speaker = expected(stalled, suspended, ready, observed)
        if observed.get("observedGeneration") != 2:
            message = "The operator has not seen this generation yet"
        else:
            message = f"{speaker}Reason: what {speaker} says" if speaker else ""
        conditions = [condition(kind, state) for kind, state in states.items() if state]
        # No order is promised.
        for order in (conditions, conditions[::-1]):
            yield {"metadata": {"generation": 2}, "status": {**observed, "conditions": order}}, health, message
    unseen = "The operator has not seen this generation yet"
    yield {"metadata": {"generation": 1}}, "Progressing", unseen
    yield {"metadata": {"generation": 1}, "status": {}}, "Progressing", unseen
    # As the API server fills it in before an operator has looked.
    pending = {"type": "Ready", "status": "Unknown", "reason": "Pending", "message": "Waiting for the operator"}
    yield {"metadata": {"generation": 1}, "status": {"conditions": [pending]}}, "Progressing", unseen
    yield {"metadata": {"generation": 1}, "status": {"observedGeneration": 1}}, "Progressing", ""
    bare = {"type": "Ready", "status": "True", "reason": "Ingesting", "message": ""}
    yield {"metadata": {"generation": 1}, "status": {"observedGeneration": 1, "conditions": [bare]}}, "Healthy", "Ingesting"


def check(script):
    every = list(cases())
    with open(f"{TMP}/health.lua", "w") as file:
        file.write(f"local check = assert(loadfile({json.dumps(os.path.abspath(script))}))\n")
        for item, _, _ in every:
            file.write(f"obj = {lua(item)}\n")
            file.write('told = check() io.write(told.status, "\\t", told.message, "\\n")\n')
    told = run("lua5.4", f"{TMP}/health.lua").splitlines()
    require(len(told) == len(every), f"{len(told)} answers to {len(every)} cases")
    for line, (item, health, message) in zip(told, every):
        require(line == f"{health}\t{message}", f"{item} is {line!r}, not {health!r} with {message!r}")
    return f"health of {len(every)} objects"
