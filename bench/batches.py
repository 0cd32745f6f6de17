"""What a message costs by the size of the producer's batches and their codec. tests/live/suites/bench-batches starts the broker.

A worker on file:// follows a topic that gets messages of about 600 bytes at a rate, from a producer with `linger.ms=50`: the
more messages a second and partition, the fuller are its batches. Prints, as Markdown, the CPU time of the worker and that of
librdkafka's broker threads in it, by the kernel's count over BENCH_SECONDS=60 each, from the first commit on.
"""

import os
import pathlib
import time

import manifest
import topics
from arrival import Arrival
from suite import TMP, main, say, wait
from worker import Worker

SECONDS = int(os.environ.get("BENCH_SECONDS", 60))
# (messages a second, codec, partitions)
STREAMS = [(5_000, "zstd", 8), (6_700, "zstd", 3), (20_000, "zstd", 8), (5_000, "lz4", 8), (6_700, "lz4", 3)]
# What librdkafka calls the thread of a broker, at its beginning.
BROKER_THREAD = "rdk:broker"


def threads(process):
    """CPU seconds of each thread, by its number and name."""
    seconds = {}
    for task in pathlib.Path(f"/proc/{process}/task").iterdir():
        try:
            name, nanoseconds = (task / "comm").read_text().strip(), (task / "schedstat").read_text().split()[0]
        except FileNotFoundError:
            continue  # A thread that has just ended.
        seconds[task.name, name] = int(nanoseconds) / 1e9
    return seconds


def measure(rate, codec, partitions):
    """Messages a second, and seconds of CPU a second: all of them, and those of librdkafka's threads for brokers."""
    topic = topics.create(f"batches-{codec}-{rate}", partitions)
    place = pathlib.Path(TMP) / topic
    place.mkdir()
    document = manifest.write(manifest.ingest(topic, topic, "file:///raw", max_age="30s"))
    arrival, worker = Arrival(topic, rate, partitions, compression_type=codec), Worker(document, "--local", place)
    try:
        wait("the worker commits", lambda: worker.is_well() and any(worker.commits()))
        end, before, begin = sum(topics.ends(topic).values()), threads(worker.pid), time.monotonic()
        time.sleep(SECONDS)
        after, took = threads(worker.pid), time.monotonic() - begin
        messages = sum(topics.ends(topic).values()) - end
        worker.drain()
    finally:
        arrival.end()
        worker.kill()
    spent = {thread: seconds - before.get(thread, 0) for thread, seconds in after.items()}
    brokers = sum(seconds for (_, name), seconds in spent.items() if name.startswith(BROKER_THREAD))
    return messages / took, sum(spent.values()) / took, brokers / took


def work():
    lines = ["| messages a second, codec, partitions | thousandths of a core | µs a message | of that in threads of brokers |",
             "|---|---:|---:|---:|"]
    for rate, codec, partitions in STREAMS:
        seen, cpu, brokers = measure(rate, codec, partitions)
        lines.append(f"| {seen:,.0f} in {codec}, {partitions} | {cpu * 1e3:.1f} | {cpu / seen * 1e6:.2f} | {brokers / seen * 1e6:.2f} |")
        say(lines[-1])
    print("\n".join(lines))


main(work)
