"""Produces a few messages and reads them back; `again`: only reads."""

import os
import sys
import time

from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient, NewTopic

BROKER = {"bootstrap.servers": os.environ["KAFKA_BOOTSTRAP"]}
SENT = [f"message {number}".encode() for number in range(10)]

if "again" not in sys.argv:
    admin = AdminClient(BROKER)
    for result in admin.create_topics([NewTopic("smoke", 2, 1)]).values():
        result.result(60)
    producer = Producer({**BROKER, "enable.idempotence": True})
    for message in SENT:
        producer.produce("smoke", message)
    assert producer.flush(60) == 0

group = f"smoke-{os.getpid()}"
consumer = Consumer({**BROKER, "group.id": group, "group.protocol": "consumer", "auto.offset.reset": "earliest"})
consumer.subscribe(["smoke"])
received = []
limit = time.monotonic() + 60
while len(received) < len(SENT) and time.monotonic() < limit:
    message = consumer.poll(1)
    if message is not None and message.error() is None:
        received.append(message.value())
consumer.close()
assert sorted(received) == sorted(SENT), received
