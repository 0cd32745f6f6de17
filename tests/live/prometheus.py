"""A real Prometheus that scrapes worker pods and operators, and what it answers to every query of the chart."""

import glob
import json
import os
import subprocess
import urllib.parse
import urllib.request

import yaml

from suite import ROOT, TMP, require, say, wait

CHART = os.path.join(ROOT, "charts/gristmill")
ADDRESS = "127.0.0.1:19990"
# As Grafana fills them in: all resources, and four scrapes.
VARIABLES = {"$namespace": ".*", "$name": ".*", "$__rate_interval": "1m"}


class Prometheus:
    """Scrapes what it is told of, every 2 s, with the metrics' own labels as the chart's PodMonitors do."""

    def __init__(self):
        self.folder = os.path.join(TMP, "prometheus")
        os.makedirs(self.folder)
        self.targets = os.path.join(self.folder, "targets.json")
        self.scrape(())
        scrape = {"job_name": "gristmill", "honor_labels": True, "scrape_interval": "2s",
                  "file_sd_configs": [{"files": [self.targets], "refresh_interval": "2s"}]}
        config = os.path.join(self.folder, "prometheus.yaml")
        with open(config, "w", encoding="utf-8") as file:
            yaml.safe_dump({"rule_files": [f"{CHART}/alerts.yaml"], "scrape_configs": [scrape]}, file)
        log = open(os.path.join(self.folder, "log"), "w", encoding="utf-8")
        self.process = subprocess.Popen(
            ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={self.folder}/data",
             f"--web.listen-address={ADDRESS}", "--log.level=warn"], stdout=log, stderr=log)
        wait("Prometheus is ready", self.is_ready)

    def scrape(self, addresses):
        """From now on these pods."""
        with open(f"{self.targets}.new", "w", encoding="utf-8") as file:
            json.dump([{"targets": [f"{address}:8080" for address in addresses]}], file)
        os.rename(f"{self.targets}.new", self.targets)

    def is_ready(self):
        require(self.process.poll() is None, f"Prometheus ended; its log: {self.folder}/log")
        try:
            with urllib.request.urlopen(f"http://{ADDRESS}/-/ready", timeout=5) as answer:
                return answer.status == 200
        except OSError:
            return False

    def ask(self, expression):
        """Samples of an expression: its values."""
        for variable, value in VARIABLES.items():
            expression = expression.replace(variable, value)
        query = urllib.parse.urlencode({"query": expression})
        with urllib.request.urlopen(f"http://{ADDRESS}/api/v1/query?{query}", timeout=30) as answer:
            result = json.load(answer)
        require(result["status"] == "success", f"{expression}: {result}")
        return [float(sample["value"][1]) for sample in result["data"]["result"]]

    def end(self):
        self.process.kill()
        self.process.wait()


def panels():
    """(dashboard, title, expression) of every query of every panel."""
    for path in sorted(glob.glob(f"{CHART}/dashboards/*.json")):
        with open(path, encoding="utf-8") as file:
            dashboard = json.load(file)
        for panel in dashboard["panels"]:
            for target in panel.get("targets", ()):
                yield os.path.basename(path), panel["title"], target["expr"]


def check_panels(prometheus):
    """Every query of every panel is answered with numbers."""
    unanswered = {each for each in panels()}
    count = len(unanswered)
    require(count, "there is no panel")

    def all_answered():
        for each in list(unanswered):
            # NaN is not equal to itself: it stands for no observation.
            if any(value == value for value in prometheus.ask(each[2])):
                unanswered.discard(each)
        return not unanswered

    try:
        wait(f"all {count} queries of the dashboards have data", all_answered, pause=2)
    finally:
        for each in unanswered:
            say(f"no data: {' | '.join(each)}")


def check_alerts(prometheus):
    """Every alert can be evaluated; those that fire are named."""
    with urllib.request.urlopen(f"http://{ADDRESS}/api/v1/rules", timeout=30) as answer:
        groups = json.load(answer)["data"]["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    broken = [(rule["name"], rule.get("lastError")) for rule in rules if rule["health"] == "err"]
    require(rules and not broken, f"alerts that can't be evaluated: {broken}")
    firing = [rule["name"] for rule in rules if rule["state"] == "firing"]
    say(f"{len(rules)} alerts are evaluated, firing: {', '.join(firing) or 'none'}")
