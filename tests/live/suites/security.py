"""A broker that asks who comes: let in, refused by name, and let in once the cause is gone; see suites/security."""

import hashlib
import os
import shutil
import subprocess

from confluent_kafka.admin import (AclBinding, AclBindingFilter, AclOperation, AclPermissionType, ResourcePatternType,
                                   ResourceType, ScramCredentialInfo, ScramMechanism, UserScramCredentialUpsertion)

import manifest
import oracle
import topics
from suite import HDFS_URL, SEED, TMP, chosen, main, require, say, size, wait
from worker import Worker, end_all, run_to_end

PARTITIONS = 2
MESSAGES = size(6_000, 600)
SASL, MTLS, PLAINTEXT = f"{os.environ['GRISTMILL_LIVE_ADDRESS']}:19094", "127.0.0.1:19095", "127.0.0.1:19092"
CERTIFICATES = os.path.join(os.environ["GRISTMILL_LIVE_RUN"], "tls")
CA = {"tls": {"caConfigMapKeyRef": {"name": "kafka-ca", "key": "ca.crt"}}}
CERTIFICATE = {"tls": {**CA["tls"], "clientCertificateSecretRef": {"name": "books-certificate"}}}


def sasl(mechanism="ScramSha512", username="books"):
    return {**CA, "sasl": {"mechanism": mechanism, "username": username,
                           "passwordSecretKeyRef": {"name": "books-sasl", "key": "password"}}}


class Secrets:
    """The folder that a pod has mounted: DIR/<name>/<key>."""

    def __init__(self, name):
        self.directory = os.path.join(TMP, f"{name}-secrets")
        self.put("kafka-ca", "ca.crt", file="ca.crt")
        self.put("books-certificate", "tls.crt", file="books.crt")
        self.put("books-certificate", "tls.key", file="books.key")
        self.put("books-sasl", "password", text="first")

    def put(self, name, key, text=None, file=None):
        """As the kubelet does: a reader sees the old value or the new one."""
        path = os.path.join(self.directory, name, key)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if file:
            shutil.copy(os.path.join(CERTIFICATES, file), f"{path}.new")
        else:
            with open(f"{path}.new", "w", encoding="utf-8") as out:
                out.write(text)
        os.rename(f"{path}.new", path)


class Case:
    """A topic with messages, the resource that reads it, and its secrets."""

    def __init__(self, name, servers, security, messages=MESSAGES):
        self.topic, self.zone, self.secrets = f"security-{name}", f"{HDFS_URL}/raw_zone/security-{name}", Secrets(name)
        topics.create(self.topic, PARTITIONS)
        topics.books(self.topic, messages, SEED)
        self.document = manifest.write(manifest.ingest(
            f"security-{name}", self.topic, self.zone, bootstrap=servers, kafka={"security": security}))
        self.arguments = ("--attach", "--secrets-dir", self.secrets.directory)

    def group(self):
        """The consumer group that the zone's log will name: by the path of RAW."""
        digest = hashlib.sha256(self.zone.encode()).hexdigest()[:8]
        return f"gristmill.library.{self.topic}.{digest}"

    def check(self):
        oracle.check_ingest(self.zone, self.topic, oracle.Expected(oracle.read_topic(self.topic)[0]))


def let_in():
    """Each way of saying who one is lands every row."""
    for name, servers, security in (("scram-512", SASL, sasl()), ("scram-256", SASL, sasl("ScramSha256")),
                                    ("plain", SASL, sasl("Plain")), ("certificate", MTLS, CERTIFICATE)):
        case = Case(name, servers, security)
        run_to_end(case.document, *case.arguments)
        say(f"{name}: let in")
        case.check()


def refuse(resource, name):
    """Only somebody else may read it; what gives it back."""
    binding = AclBinding(resource, name, ResourcePatternType.LITERAL, "User:somebody", "*", AclOperation.ALL, AclPermissionType.ALLOW)
    client = topics.admin()
    client.create_acls([binding])[binding].result(60)
    say(f"{resource.name.lower()} {name} is not for books any more")

    def give_back():
        only = AclBindingFilter(resource, name, ResourcePatternType.LITERAL, None, None, AclOperation.ANY, AclPermissionType.ANY)
        client.delete_acls([only])[only].result(60)
    return give_back


def wrong_password(case):
    case.secrets.put("books-sasl", "password", text="wrong")
    return lambda: case.secrets.put("books-sasl", "password", text="first")


def unknown_ca(case):
    case.secrets.put("kafka-ca", "ca.crt", file="other-ca.crt")
    return lambda: case.secrets.put("kafka-ca", "ca.crt", file="ca.crt")


def no_right_to_topic(case):
    return refuse(ResourceType.TOPIC, case.topic)


def no_right_to_group(case):
    return refuse(ResourceType.GROUP, case.group())


# What is wrong, how the worker gets there, and words of the sentence that it must say.
REFUSALS = (
    ("password", SASL, sasl(), wrong_password, (SASL, "password of spec.source.kafka.security.sasl")),
    ("ca", SASL, sasl(), unknown_ca, (SASL, "certificate", "spec.source.kafka.security.tls")),
    ("topic-acl", SASL, sasl(), no_right_to_topic, ("security-topic-acl", "Read and Describe on the topic")),
    ("group-acl", SASL, sasl(), no_right_to_group, ("security-group-acl", "Read on the consumer group")),
)
# Nothing but another document helps here.
WRONG_DOCUMENTS = (
    ("no-tls", SASL, {}, (SASL, "set spec.source.kafka.security.tls")),
    ("tls-to-plaintext", PLAINTEXT, CA, ("127.0.0.1:19092", "PLAINTEXT", "speaks TLS")),
    ("no-certificate", MTLS, CA, ("127.0.0.1:19095", "spec.source.kafka.security.tls")),
    ("unknown-user", SASL, sasl(username="nobody"), (SASL, "user and the password")),
)


def told(worker, words):
    """The status says why, in a sentence that has these words."""
    def message():
        status = worker.status()
        text = status.get("message") or ""
        return text if all(word in text for word in words) else None
    return wait(f"{worker.name} names the cause", lambda: worker.is_well() and message())


def refusals():
    """A worker that is not let in says why, and goes on by itself once it may."""
    for name, servers, security, spoil, words in REFUSALS:
        case = Case(name, servers, security)
        mend = spoil(case)
        worker = Worker(case.document, *case.arguments)
        say(f"{name}: {told(worker, words)}")
        mend()
        wait(f"{name}: it goes on by itself", lambda: worker.is_well() and worker.commits())
        worker.drain()
        run_to_end(case.document, *case.arguments)
        case.check()


def wrong_documents():
    """A command that is to end says why within its patience: long enough for a port that hangs up only after 10 s."""
    running = []
    for name, servers, security, words in WRONG_DOCUMENTS:
        case = Case(name, servers, security, messages=1)
        command = ["gristmill", "ingest", "-f", case.document, *case.arguments, "--until-caught-up", "--wait", "20s"]
        running.append((name, words, subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)))
    for name, words, process in running:
        sentence = process.communicate()[1].strip().rsplit("\n", 1)[-1]
        say(f"{name}: exit {process.returncode}: {sentence}")
        require(process.returncode != 0 and all(word in sentence for word in words), f"{name}: expected the words {words}")


def rotation():
    """The password changes at the broker, then in the file: no restart, no message lost or twice."""
    case = Case("rotation", SASL, sasl())
    worker = Worker(case.document, *case.arguments)
    wait("it commits with the first password", lambda: worker.is_well() and worker.commits())
    change_password("second")
    case.secrets.put("books-sasl", "password", text="second")
    wait("the worker has seen it", lambda: worker.is_well() and any(
        "credentials for Kafka have changed" in line.get("message", "") for line in worker.log()))
    commits = len(worker.commits())
    topics.books(case.topic, MESSAGES, SEED + 1)
    wait("it commits with the second password", lambda: worker.is_well() and len(worker.commits()) > commits)
    worker.drain()
    run_to_end(case.document, *case.arguments)
    case.check()
    change_password("first")


def change_password(password):
    credential = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 8192)
    client = topics.admin()
    changed = client.alter_user_scram_credentials([UserScramCredentialUpsertion("books", credential, password.encode())])
    changed["books"].result(60)


def work():
    for part in chosen(let_in, wrong_documents, refusals, rotation):
        part()


if __name__ == "__main__":
    try:
        main(work)
    finally:
        end_all()
