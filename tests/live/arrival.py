"""Messages that arrive at a rate, from a producer that batches them as producers of much traffic do."""

import random
import threading
import time

import topics
from suite import SEED, require

# Different messages; they are sent again and again, since what a message costs does not depend on who saw it before.
MESSAGES = 1_000


class Arrival:
    """Messages of two books at a rate that may be changed, to all partitions in turn. A message's key is its number."""

    def __init__(self, topic, rate, partitions, **config):
        randomness = random.Random(SEED)
        self.messages = [topics.library(randomness)[1] for _ in range(MESSAGES)]
        self.topic, self.partitions, self.config = topic, partitions, config
        self.rate, self.failures, self.is_over = rate, [], threading.Event()
        self.thread = threading.Thread(target=self.send)
        self.thread.start()

    def send(self):
        client = topics.producer(linger_ms=50, queue_buffering_max_messages=1_000_000, **self.config)
        due, sent, before = 0.0, 0, time.monotonic()
        while not self.is_over.wait(0.02):
            now = time.monotonic()
            due += self.rate * (now - before)
            before = now
            while sent < due:
                number = sent % MESSAGES
                client.produce(self.topic, self.messages[number], str(number).encode(),
                               (sent // MESSAGES + sent) % self.partitions,
                               on_delivery=lambda error, _: error and self.failures.append(error))
                sent += 1
            client.poll(0)
        if client.flush(120):
            self.failures.append("not confirmed")

    def end(self):
        self.is_over.set()
        self.thread.join()
        require(not self.failures, f"messages were not taken: {self.failures[:3]}")
