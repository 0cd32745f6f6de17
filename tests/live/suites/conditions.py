"""Causes that no schema can see, each on a resource of its own, all at the same time; see suites/conditions."""

import base64
import json
import os
import subprocess
import time

import manifest
import oracle
import quickstart
import topics
from quickstart import kubectl
from suite import BOOTSTRAP, BOOTSTRAP_PODS, HDFS_URL, LIMIT, SEED, Failed, chosen, gristmill_json, main, require, run, say, size
from zone_log import HDFS

NAMESPACE = quickstart.NAMESPACE
ADDRESS = os.environ["GRISTMILL_LIVE_ADDRESS"]
SASL = f"{ADDRESS}:19094"
CERTIFICATES = os.path.join(os.environ["GRISTMILL_LIVE_RUN"], "tls")
MESSAGES = size(2_000, 200)
# What is expected of a condition, in seconds from the resource on; printed beside what it took, and never asserted.
EXPECTED = 60


def apply(*documents):
    kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", input="\n---\n".join(map(json.dumps, documents)))


def secret(name, **values):
    data = {key.replace("_", "."): base64.b64encode(value.encode()).decode() for key, value in values.items()}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": NAMESPACE}, "data": data}


def config_map(name, **values):
    data = {key.replace("_", "."): value for key, value in values.items()}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": NAMESPACE}, "data": data}


def certificate(name):
    with open(os.path.join(CERTIFICATES, name), encoding="ascii") as file:
        return file.read()


SECURITY = {"tls": {"caConfigMapKeyRef": {"name": "kafka-ca", "key": "ca.crt"}},
            "sasl": {"mechanism": "ScramSha512", "username": "books",
                     "passwordSecretKeyRef": {"name": "books-sasl", "key": "password"}}}


class Case:
    """A resource with something wrong about it: the words that a condition must have, and the act that helps."""

    # Of the condition that tells the cause.
    type, words = "Ready", ()

    def __init__(self):
        self.name = type(self).__name__.lower().replace("_", "-")
        self.topic, self.path = f"conditions-{self.name}", f"/conditions/{self.name}"

    def document(self, bootstrap=BOOTSTRAP_PODS, **blocks):
        path = f"hdfs://namenode.library.svc:8020{self.path}"
        return manifest.ingest(self.name, self.topic, path, bootstrap=bootstrap, **{"pod": {"cpu": "20m"}, **blocks})

    def begin(self):
        """Something is wrong, and the resource is applied."""
        self.send()
        apply(self.document())

    def send(self):
        topics.create(self.topic, 2)
        topics.books(self.topic, MESSAGES, SEED)

    def mend(self):
        """The cause goes; the resource stays as it is."""

    def conditions(self):
        resource = json.loads(kubectl("get", "streamingest", self.name, "-n", NAMESPACE, "-o", "json"))
        return {each["type"]: each for each in resource.get("status", {}).get("conditions", [])}

    def told(self):
        """The condition, once it tells the cause."""
        condition = self.conditions().get(self.type, {})
        text = f"{condition.get('reason')}: {condition.get('message')}"
        return condition if condition.get("status") == "False" and all(word in text for word in self.words) else None

    def is_well(self):
        conditions = self.conditions()
        return all(conditions.get(kind, {}).get("status") == "True" for kind in {"Ready", self.type})

    def check(self):
        """Every row of the topic, once."""
        oracle.check_ingest(f"{HDFS_URL}{self.path}", self.topic, oracle.Expected(oracle.read_topic(self.topic)[0]))


class Topic_Missing(Case):
    words = ("SourceUnavailable", "conditions-topic-missing", "create it")

    def begin(self):
        apply(self.document())

    def mend(self):
        self.send()


class Wrong_Password(Case):
    words = (SASL, "password", "spec.source.kafka.security.sasl")

    def document(self):
        return super().document(bootstrap=SASL, kafka={"security": SECURITY})

    def begin(self):
        self.send()
        apply(config_map("kafka-ca", ca_crt=certificate("ca.crt")), secret("books-sasl", password="wrong"), self.document())

    def mend(self):
        apply(secret("books-sasl", password="first"))


class Secret_Missing(Case):
    type, words = "ResolvedRefs", ("SecretNotFound", "late-sasl", "passwordSecretKeyRef")

    def document(self):
        sasl = {**SECURITY["sasl"], "passwordSecretKeyRef": {"name": "late-sasl", "key": "password"}}
        return super().document(bootstrap=SASL, kafka={"security": {**SECURITY, "sasl": sasl}})

    def mend(self):
        apply(secret("late-sasl", password="first"))


class Key_Missing(Case):
    type, words = "ResolvedRefs", ("keyless-sasl", "password", "passwordSecretKeyRef")

    def document(self):
        sasl = {**SECURITY["sasl"], "passwordSecretKeyRef": {"name": "keyless-sasl", "key": "password"}}
        return super().document(bootstrap=SASL, kafka={"security": {**SECURITY, "sasl": sasl}})

    def begin(self):
        apply(secret("keyless-sasl", word="first"))
        super().begin()

    def mend(self):
        apply(secret("keyless-sasl", password="first"))


class Keytab_Missing(Case):
    """There is no KDC here; that the keytab is there at last is what can be seen. Suite kerberos logs in."""

    type, words = "ResolvedRefs", ("SecretNotFound", "books-keytab", "keytabSecretKeyRef")

    def document(self):
        kerberos = {"principal": "books@EXAMPLE.COM", "keytabSecretKeyRef": {"name": "books-keytab", "key": "keytab"},
                    "krb5ConfigMapKeyRef": {"name": "krb5", "key": "krb5.conf"}}
        return super().document(hadoop={"kerberos": kerberos})

    def begin(self):
        apply(config_map("krb5", krb5_conf="[libdefaults]\n default_realm = EXAMPLE.COM\n"))
        super().begin()

    def mend(self):
        apply(secret("books-keytab", keytab="none"))

    def is_well(self):
        return self.conditions().get("ResolvedRefs", {}).get("status") == "True"

    def check(self):
        pass


class Not_Writable(Case):
    words = ("StoreUnavailable", "Permission denied", "user=etl", "/conditions/locked")

    def __init__(self):
        super().__init__()
        self.path = "/conditions/locked/books"

    def begin(self):
        HDFS.fs("-mkdir", "-p", "/conditions/locked")
        HDFS.fs("-chmod", "700", "/conditions/locked")
        super().begin()

    def mend(self):
        HDFS.fs("-chmod", "777", "/conditions/locked")


class Unreachable(Case):
    """A Service of brokers that has no endpoint yet."""

    words = ("SourceUnavailable", "late-kafka.library.svc:9092")

    def document(self):
        return super().document(bootstrap="late-kafka.library.svc:9092")

    def begin(self):
        service = json.loads(kubectl("get", "service", "kafka", "-n", NAMESPACE, "-o", "json"))
        apply({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "late-kafka", "namespace": NAMESPACE},
               "spec": {"clusterIP": "None", "ports": service["spec"]["ports"]}})
        super().begin()

    def mend(self):
        endpoints = json.loads(kubectl("get", "endpointslice", "kafka", "-n", NAMESPACE, "-o", "json"))
        labels = {**endpoints["metadata"]["labels"], "kubernetes.io/service-name": "late-kafka"}
        apply({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": endpoints["addressType"],
               "metadata": {"name": "late-kafka", "namespace": NAMESPACE, "labels": labels},
               "ports": [{key: port[key] for key in ("name", "port")} for port in endpoints["ports"]],
               "endpoints": [{"addresses": each["addresses"], "conditions": {"ready": True}} for each in endpoints["endpoints"]]})


class Foreign_Zone(Case):
    """The directory is the zone of another topic."""

    words = ("ZoneMismatch", "conditions-other")

    def begin(self):
        topics.create("conditions-other", 1)
        topics.books("conditions-other", 10, SEED)
        other = manifest.ingest("other", "conditions-other", f"{HDFS_URL}{self.path}")
        run("gristmill", "ingest", "-f", manifest.write(other), "--until-caught-up", "--attach")
        super().begin()

    def mend(self):
        for path in (self.path, f"{self.path}_rejected"):
            if HDFS.list(path):
                HDFS.fs("-rm", "-r", path)


class Shared_Group(Case):
    """Two resources with one consumer group: each would get a part of the partitions, and both would look well."""

    words = ("ConsumerGroupShared", "conditions.shared")

    def document(self):
        return super().document(kafka={"consumerGroup": "conditions.shared"})

    def begin(self):
        self.send()
        first = manifest.merged(self.document(), {"metadata": {"name": "first"}})
        first["spec"]["raw"]["path"] += "-first"
        apply(first)
        wait_all("the first one of the group is ready", {"first": lambda: self.is_ready("first")})
        apply(self.document())

    def is_ready(self, name):
        found = json.loads(kubectl("get", "streamingest", name, "-n", NAMESPACE, "-o", "json"))
        return any(each["type"] == "Ready" and each["status"] == "True" for each in found["status"]["conditions"])

    def mend(self):
        kubectl("delete", "streamingest", "first", "-n", NAMESPACE)


class Held(Case):
    """Half of the messages are not well-formed: it stops by itself, and goes on when somebody says so."""

    type, words = "RejectedWithinBudget", ("RejectedBudgetExceeded", "NotWellFormed", "kubectl gristmill resume NAME")
    bad = 150

    def document(self):
        return super().document(rejected={"maxPercent": 10, "minMessages": self.bad, "window": "10m", "action": "Hold"})

    def send(self):
        topics.create(self.topic, 1)
        gristmill_json("produce", "--bootstrap-servers", BOOTSTRAP, "--topic", self.topic, "--count", str(self.bad),
                       "--seed", str(SEED), "--malformed", "50")

    def mend(self):
        kubectl("gristmill", "resume", self.name, "-n", NAMESPACE)
        topics.books(self.topic, MESSAGES, SEED + 1)


CASES = [Topic_Missing, Wrong_Password, Secret_Missing, Key_Missing, Keytab_Missing, Not_Writable, Unreachable,
         Foreign_Zone, Shared_Group, Held]


def wait_all(what, conditions, begins=None):
    """Until each of the named conditions gives something; what each took is printed, from its begin on."""
    begin = time.monotonic()
    missing = dict(conditions)
    while missing:
        for name in [name for name, condition in missing.items() if condition()]:
            say(f"{what}: {name}: {time.monotonic() - (begins or {}).get(name, begin):.1f} s")
            del missing[name]
        if time.monotonic() - begin > LIMIT:
            quickstart.explain()
            raise Failed(f"waited {LIMIT} s in vain: {what}: {', '.join(missing)}")
        time.sleep(0.5)


def work():
    quickstart.install()
    HDFS.fs("-mkdir", "-p", "/conditions")
    HDFS.fs("-chmod", "777", "/conditions")
    cases, begins = [each() for each in chosen(*CASES)], {}
    for case in cases:
        case.begin()
        begins[case.name] = time.monotonic()
    wait_all(f"told (expected within {EXPECTED} s of the resource)", {case.name: case.told for case in cases}, begins)
    for case in cases:
        condition = case.told()
        require(condition, f"{case.name}: what was told is not told any more")
        described = kubectl("describe", "streamingest", case.name, "-n", NAMESPACE)
        require(condition["message"].split()[0] in described, f"{case.name}: kubectl describe does not show it")
        print(f"    {case.name}\n      {condition['type']} False {condition['reason']}: {condition['message']}", flush=True)
    for case in cases:
        case.mend()
        begins[case.name] = time.monotonic()
    # kubelet looks for a missing Secret again after up to two minutes.
    wait_all("well again by itself", {case.name: case.is_well for case in cases}, begins)
    for case in cases:
        wait_all("all messages are committed", {case.name: lambda case=case: committed(case)})
        case.check()
    # The one without a KDC would be tried again for as long as other suites run.
    kubectl("delete", "streamingest", "--all", "-n", NAMESPACE)


def committed(case):
    if not isinstance(case, Keytab_Missing):
        done = subprocess.run(["gristmill", "inspect", f"{HDFS_URL}{case.path}", "--json", "--user", "etl"],
                              text=True, capture_output=True)
        return done.returncode == 0 and json.loads(done.stdout)["messages"] == sum(topics.ends(case.topic).values())
    return True


if __name__ == "__main__":
    main(work)
