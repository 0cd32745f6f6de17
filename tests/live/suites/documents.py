"""Shows the documents of worker/tests/lint to an API server and to `gristmill lint`."""

import json
import pathlib
import subprocess
import sys

from suite import wait

ROOT = pathlib.Path(__file__).resolve().parents[3]
LINT = ROOT / "worker/tests/lint"
# Nobody has made a resource there.
NAMESPACE = "documents"


def run(*command, **options):
    return subprocess.run(command, text=True, capture_output=True, **options)


def kinds_are_served():
    """`kubectl wait` fails on a definition that has no conditions yet."""
    done = run("kubectl", "get", "streamingests,hourlycompactions", "--all-namespaces")
    return done.returncode == 0


def server(document):
    """What the API server says against a document; empty if it takes it."""
    here = document.replace("namespace: library", f"namespace: {NAMESPACE}")
    done = run("kubectl", "create", "--dry-run=server", "-f", "-", input=here)
    return done.stderr.strip() if done.returncode else ""


def lint(document):
    """What lint says against a document; empty if it takes it."""
    done = run("gristmill", "lint", "-f", "/dev/stdin", input=document)
    if done.returncode not in (0, 2):
        raise SystemExit(f"lint ended with {done.returncode}: {done.stderr}")
    return done.stderr.strip() if done.returncode else ""


def main():
    subprocess.run(["kubectl", "apply", "--server-side", "--force-conflicts", "-f", f"{ROOT}/crds/"], check=True,
                   stdout=subprocess.DEVNULL)
    wait("both kinds are served", kinds_are_served)
    run("kubectl", "create", "namespace", NAMESPACE)
    full = (LINT / "full.yaml").read_text()
    full_compaction = (LINT / "full-compaction.yaml").read_text()
    failures = []
    for name, document in [("full.yaml", full), ("full-compaction.yaml", f"{full}---\n{full_compaction}"),
                           ("quickstart", (ROOT / "manifests/quickstart/books.yaml").read_text())]:
        for judge, verdict in [("the API server", server(document)), ("lint", lint(document))]:
            if verdict:
                failures.append(f"{name} is refused by {judge}: {verdict}")
    # A compaction is checked together with its StreamIngest, which is valid; the API server sees each by itself.
    wrong = [(what, full.replace(piece, other, 1), "") for what, piece, other in json.loads((LINT / "wrong.json").read_text())]
    wrong += [(what, full_compaction.replace(piece, other, 1), f"{full}---\n")
              for what, piece, other in json.loads((LINT / "wrong-compaction.json").read_text())]
    refused = 0
    for what, document, others in wrong:
        by_server, by_lint = server(document), lint(others + document)
        refused += bool(by_server)
        if by_server and not by_lint:
            failures.append(f"{what}: lint takes what the API server refuses: {by_server}")
        if not by_lint:
            failures.append(f"{what}: lint takes it")
    print(f"{len(wrong)} wrong documents: lint refuses all but {sum('lint takes' in failure for failure in failures)}, "
          f"the API server {refused} of them by the schema alone")
    for failure in failures:
        print("FAILED", failure)
    sys.exit(bool(failures))


main()
