"""The chart and the GitOps manifests as they are rendered, the alerts as Prometheus evaluates them."""

import copy
import glob
import json
import os
import re
import shutil
import subprocess

import packaging_health
import packaging_image
import yaml
from suite import LIVE, ROOT, TMP, chosen, main, require, run, say

CHART = f"{ROOT}/charts/gristmill"
GITOPS = f"{ROOT}/manifests/gitops"
VALUES = f"{LIVE}/suites/packaging-values"
GUIDE = f"{ROOT}/docs/guide/operations.md"


class Strict(yaml.CSafeLoader):
    """Refuses a key that stands twice, which PyYAML lets pass."""

    def construct_mapping(self, node, deep=False):
        keys = [key.value for key, _ in node.value]
        require(len(keys) == len(set(keys)), f"a key stands twice in {keys}")
        return super().construct_mapping(node, deep)


def read(path):
    with open(path) as file:
        return file.read()


def anchors(page):
    """Names that links to the headings of a page have."""
    headings = re.findall(r"^#+ (.*)$", read(page), re.MULTILINE)
    return {re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def objects(text):
    """Every object of a YAML stream; each has what any object has."""
    found = [document for document in yaml.load_all(text, Strict) if document is not None]
    for item in found:
        require({"apiVersion", "kind", "metadata"} <= item.keys() and item["metadata"].get("name"), f"not an object: {item}")
    names = [(item["kind"], item["metadata"].get("namespace"), item["metadata"]["name"]) for item in found]
    require(len(names) == len(set(names)), f"an object stands twice: {names}")
    return found


def template(*arguments, values=None, release="gristmill"):
    if values is not None:
        with open(f"{TMP}/values.yaml", "w") as file:
            yaml.safe_dump(values, file)
        arguments = ["-f", f"{TMP}/values.yaml", *arguments]
    return run("helm", "template", release, CHART, "--namespace", "gristmill-system", *arguments)


def leaves(values, path=()):
    """Each documented value by its path: what is not a map with keys."""
    for key, value in values.items():
        if isinstance(value, dict) and value and path + (key,) not in WHOLE:
            yield from leaves(value, path + (key,))
        else:
            yield path + (key,)


# Maps that are one value.
WHOLE = {("resources",), ("dashboards", "labels")}


def get(values, path):
    for key in path:
        if not isinstance(values, dict) or key not in values:
            return None
        values = values[key]
    return values


def without(values, path):
    values = copy.deepcopy(values)
    del get(values, path[:-1])[path[-1]]
    return values


def chart_is_valid_with_every_set_of_values():
    say(run("helm", "lint", "--strict", CHART).strip().splitlines()[-1])
    for file in sorted(glob.glob(f"{VALUES}/*.yaml")):
        run("helm", "lint", "--strict", CHART, "-f", file)
        found = objects(template("-f", file))
        say(f"{os.path.basename(file)}: {len(found)} objects")
    kinds = {item["kind"] for item in objects(template("-f", f"{VALUES}/namespaced.yaml"))}
    require(not kinds & {"ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition"}, f"a tenant gets {kinds}")
    require({"Role", "RoleBinding"} <= kinds, f"a tenant gets no Role: {kinds}")


def each_documented_value_has_an_effect():
    documented = set(leaves(yaml.safe_load(read(f"{CHART}/values.yaml"))))
    seen = set()
    for file in sorted(glob.glob(f"{VALUES}/*.yaml")):
        values = yaml.safe_load(read(file))
        whole = template(values=values)
        for path in sorted(leaves(values)):
            path = next((path[:n] for n in range(1, len(path) + 1) if path[:n] in documented), path)
            if path in seen:
                continue
            require(path in documented, f"{os.path.basename(file)} sets {'.'.join(path)}, which values.yaml does not document")
            require(template(values=without(values, path)) != whole, f"the value {'.'.join(path)} has no effect")
            seen.add(path)
    require(seen == documented, f"no file of packaging-values sets {sorted('.'.join(path) for path in documented - seen)}")
    names = {("  " * (len(path) - 1)) + path[-1] for path in documented}
    lines = read(f"{CHART}/values.yaml").splitlines()
    for before, line in zip(lines, lines[1:]):
        require(line.split(":")[0] not in names or before.lstrip().startswith("#"), f"no comment above {line!r}")
    say(f"{len(seen)} values, each with an effect")


def wrong_values_are_refused():
    for wrong in [
        {"replicas": 0},
        {"rollout": {"maxConcurrent": 0}},
        {"watchNamespaces": "library"},
        {"watchNamespaces": ["Not A Name"]},
        {"watchNamespace": "library"},
        {"crds": {"keep": True}},
        {"crds": {"install": "yes"}},
        {"image": {"pullPolicy": "Sometimes"}},
        {"image": {"digest": "latest"}},
        {"log": {"format": "xml"}},
        {"podMonitor": {"interval": "often"}},
        {"dashboards": {"labels": {"grafana_dashboard": 1}}},
        {"tolerations": {}},
        {"worker": {"tolerations": {}}},
    ]:
        with open(f"{TMP}/wrong.yaml", "w") as file:
            yaml.safe_dump(wrong, file)
        done = subprocess.run(["helm", "template", "gristmill", CHART, "-f", f"{TMP}/wrong.yaml"], text=True, capture_output=True)
        require(done.returncode and "schema" in done.stderr, f"the chart takes {wrong}: {done.stderr}")


def plain(item):
    """An object without what only says who made it."""
    if isinstance(item, dict):
        own = ("app.kubernetes.io/", "helm.sh/chart")
        return {
            key: {name: text for name, text in value.items() if not name.startswith(own)}
            if key in ("labels", "matchLabels") else plain(value)
            for key, value in item.items()
        }
    return [plain(value) for value in item] if isinstance(item, list) else item


def chart_installs_what_the_manifests_install():
    """The rules of the role among them, which a test of the operator compares with its requests."""
    def key(item):
        return item["kind"], item["metadata"]["name"]

    chart = {key(item): plain(item) for item in objects(template("--set", "crds.install=false"))}
    manifests = objects(run("kustomize", "build", f"{ROOT}/manifests/operator"))
    manifests = {key(item): plain(item) for item in manifests if item["kind"] != "Namespace"}
    require(chart.keys() == manifests.keys(), f"chart {sorted(chart)}, manifests {sorted(manifests)}")
    for name, item in manifests.items():
        require(chart[name] == item, f"{name} differs:\nchart     {chart[name]}\nmanifests {item}")
    tenant = objects(template("-f", f"{VALUES}/namespaced.yaml"))
    rules = [item["rules"] for item in tenant if item["kind"] == "Role" and not item["metadata"]["name"].endswith("-lease")]
    require(rules == [manifests["ClusterRole", "gristmill-operator"]["rules"]] * 2, "a tenant's Roles have other rules")
    spaces = [item["metadata"]["namespace"] for item in tenant if item["kind"] == "RoleBinding"]
    require(sorted(spaces) == ["archive", "gristmill-system", "library"], f"bindings in {spaces}")
    say(f"{len(chart)} objects, the same as manifests/operator")


def definitions_stay():
    crds = [item for item in objects(template()) if item["kind"] == "CustomResourceDefinition"]
    require(len(crds) == 2, f"{len(crds)} definitions")
    for crd in crds:
        annotations = crd["metadata"]["annotations"]
        require(annotations.pop("helm.sh/resource-policy") == "keep", "helm uninstall would delete every resource")
        file = f"{ROOT}/crds/{crd['spec']['names']['singular']}.yaml"
        require(crd == yaml.safe_load(read(file)), f"the chart's definition is not {file}")
        require(int(annotations["argocd.argoproj.io/sync-wave"]) < 0, "definitions do not come before resources")


# `helm template` leaves the notes out, and `helm install` wants a cluster.
NOTES = """apiVersion: v1
kind: ConfigMap
metadata: {name: notes}
data:
  text: |
    {{- tpl (.Files.Get "NOTES.txt") . | nindent 4 }}
"""


def notes_name_the_next_command():
    chart = f"{TMP}/chart"
    shutil.copytree(CHART, chart, dirs_exist_ok=True)
    shutil.move(f"{chart}/templates/NOTES.txt", f"{chart}/NOTES.txt")
    with open(f"{chart}/templates/notes.yaml", "w") as file:
        file.write(NOTES)
    for values, wanted in [
        (f"{CHART}/values.yaml", ["rollout status deployment/gristmill-operator -n gristmill-system", "--all-namespaces"]),
        (f"{VALUES}/namespaced.yaml", ["kubectl apply --server-side -f crds/", "-n library", "-n archive"]),
    ]:
        text = run("helm", "template", "gristmill", chart, "-n", "gristmill-system", "-f", values, "--show-only", "templates/notes.yaml")
        notes = objects(text)[0]["data"]["text"]
        for command in wanted:
            require(command in notes, f"the notes lack {command!r}: {notes}")


def pod_monitor_selects_workers():
    rendered = objects(template("-f", f"{VALUES}/monitoring.yaml"))
    monitor, of_operator = (item for item in rendered if item["kind"] == "PodMonitor")
    operator = next(item for item in rendered if item["kind"] == "Deployment")["spec"]["template"]
    selected = of_operator["spec"]["selector"]["matchLabels"].items()
    require(selected <= operator["metadata"]["labels"].items(), f"{selected} do not select the operator")
    snapshot = read(f"{ROOT}/operator/tests/operator/snapshots/operator__builds__ingest_deployment.snap")
    pod = yaml.safe_load(snapshot.split("---\n")[2])["spec"]["template"]
    selected = monitor["spec"]["selector"]["matchLabels"].items()
    require(selected <= pod["metadata"]["labels"].items(), f"{selected} do not select {pod['metadata']['labels']}")
    ports = [port["name"] for port in pod["spec"]["containers"][0]["ports"]]
    require(monitor["spec"]["podMetricsEndpoints"][0]["port"] in ports, f"workers have {ports}")


def overlays_change_single_values():
    base = {item["kind"]: item for item in objects(run("kustomize", "build", f"{GITOPS}/base"))}
    for overlay in ("dev", "prod"):
        folder = f"{GITOPS}/overlays/{overlay}"
        for patch in yaml.safe_load(read(f"{folder}/kustomization.yaml"))["patches"]:
            for change in yaml.safe_load(read(f"{folder}/{patch['path']}")):
                require(change["op"] == "replace" and not isinstance(change["value"], (list, dict)), f"{overlay}: {change}")
        text = run("kustomize", "build", folder)
        built = {item["kind"]: item for item in objects(text)}
        require(built.keys() == base.keys(), f"{overlay} has {built.keys()}")
        for kind, item in built.items():
            require(item["metadata"]["namespace"] == f"library-{overlay}", f"{overlay}: {item['metadata']}")
            require(item != base[kind] and item["spec"] != base[kind]["spec"], f"{overlay} changes nothing of {kind}")
        columns = [of["StreamIngest"]["spec"]["record"] for of in (built, base)]
        require(columns[0] == columns[1], f"{overlay} has other columns")
        say(f"{overlay}: " + "; ".join(run("gristmill", "lint", "-f", "/dev/stdin", input=text).split("\n")[:2]))


def applications_name_what_exists():
    for file in ("operator", "books-dev", "books-prod"):
        for item in objects(read(f"{GITOPS}/argocd/{file}.yaml")):
            for source in item["spec"].get("sources") or [item["spec"]["source"]]:
                require(os.path.isdir(f"{ROOT}/{source['path']}"), f"{file}: there is no {source['path']}")
    # What a directory source would take for manifests beside the definitions.
    require(sorted(glob.glob(f"{ROOT}/crds/*.y*ml")) == sorted(f"{ROOT}/crds/{kind}.yaml" for kind in ("streamingest", "hourlycompaction")),
            "crds/ has other YAML files")
    settings = objects(run("kustomize", "build", f"{GITOPS}/argocd"))
    require([item["metadata"]["name"] for item in settings] == ["argocd-cm"], f"{settings}")
    for kind in ("StreamIngest", "HourlyCompaction"):
        lua = settings[0]["data"][f"resource.customizations.health.gristmill.dev_{kind}"]
        require(lua == read(f"{GITOPS}/argocd/health.lua"), f"{kind} has another health")
        ignored = yaml.safe_load(settings[0]["data"][f"resource.customizations.ignoreResourceUpdates.gristmill.dev_{kind}"])
        require(ignored == {"jsonPointers": ["/status"]}, f"{kind} ignores {ignored}")


def alerts_fire_when_they_should():
    say(run("promtool", "check", "rules", f"{CHART}/alerts.yaml").strip().replace("\n", " "))
    run("promtool", "test", "rules", f"{LIVE}/suites/packaging-alerts.yaml")
    rendered = next(item for item in objects(template("-f", f"{VALUES}/monitoring.yaml")) if item["kind"] == "PrometheusRule")
    alerts = yaml.safe_load(read(f"{CHART}/alerts.yaml"))
    require(rendered["spec"] == alerts, "Helm has changed the alerts")
    tested = {test["alertname"] for group in yaml.safe_load(read(f"{LIVE}/suites/packaging-alerts.yaml"))["tests"]
              for test in group["alert_rule_test"]}
    rules = alerts["groups"][0]["rules"]
    for rule in rules:
        require(rule["alert"] in tested, f"no unit test of {rule['alert']}")
        page, anchor = rule["annotations"]["runbook_url"].split("#")
        require(page.endswith("docs/guide/operations.md") and anchor in anchors(GUIDE), f"no runbook at {rule['annotations']['runbook_url']}")
    say(f"{len(rules)} alerts, each with a unit test and a runbook")


def dashboards_ask_prometheus_well():
    rendered = next(item for item in objects(template("-f", f"{VALUES}/monitoring.yaml"))
                    if item["kind"] == "ConfigMap")
    for name, text in rendered["data"].items():
        dashboard = json.loads(text)
        require(text == read(f"{CHART}/dashboards/{name}"), f"Helm has changed {name}")
        expressions = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
        # Grafana fills in what begins with a dollar.
        rules = [{"record": f"panel:{index}", "expr": expression.replace("$__rate_interval", "5m")}
                 for index, expression in enumerate(expressions)]
        with open(f"{TMP}/panels.yaml", "w") as file:
            yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}, file)
        run("promtool", "check", "rules", f"{TMP}/panels.yaml")
        say(f"{name}: {len(dashboard['panels'])} panels, {len(expressions)} expressions")


def argo_cd_sees_the_health():
    say(packaging_health.check(f"{GITOPS}/argocd/health.lua"))


def guide_leads_somewhere():
    """Links of the pages, and the line that says who has run the commands of a page."""
    pages = [f"{ROOT}/README.md", *sorted(glob.glob(f"{ROOT}/docs/guide/*.md"))]
    links = 0
    for page in pages:
        text = read(page)
        for link in re.findall(r"\]\(([^)]+)\)", text):
            if link.startswith("https://"):
                continue
            path, _, anchor = link.partition("#")
            target = os.path.normpath(os.path.join(os.path.dirname(page), path)) if path else page
            require(os.path.exists(target), f"{page}: there is no {link}")
            require(not anchor or anchor in anchors(target), f"{page}: {target} has no heading {anchor}")
            links += 1
        commands = re.search(r"^(\$ )?(gristmill|kubectl|helm) ", text, re.MULTILINE)
        require(not commands or page == pages[0] or text.splitlines()[-1].startswith("Run by: "),
                f"{page} has commands and does not end with who has run them")
    say(f"{len(pages)} pages, {links} links")


def image_is_its_list():
    say(packaging_image.check())


def work():
    for part in chosen(
        chart_is_valid_with_every_set_of_values,
        each_documented_value_has_an_effect,
        wrong_values_are_refused,
        chart_installs_what_the_manifests_install,
        definitions_stay,
        notes_name_the_next_command,
        pod_monitor_selects_workers,
        overlays_change_single_values,
        applications_name_what_exists,
        alerts_fire_when_they_should,
        dashboards_ask_prometheus_well,
        argo_cd_sees_the_health,
        image_is_its_list,
        guide_leads_somewhere,
    ):
        part()


main(work)
