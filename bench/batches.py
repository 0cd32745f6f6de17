"""What a message costs by the size of the producer's batches and their codec. tests/live/suites/bench-batches starts the broker.

A worker on file:// follows a topic that gets messages of about 500 bytes at a rate, from a producer with `linger.ms=50`: the
more messages a second and partition, the fuller are its batches. Prints, as Markdown, the CPU time of the worker and that of
librdkafka's broker threads in it, by the kernel's count over BENCH_SECONDS=60 each, from the first commit on.
"""

import contextlib
import os
import pathlib
import time

import manifest
import topics
from arrival import Arrival
from measure import Program
from suite import TMP, main, say, wait

SECONDS = int(os.environ.get("BENCH_SECONDS", 60))
# (messages a second, codec, partitions)
STREAMS = [(5_000, "zstd", 8), (6_700, "zstd", 3), (20_000, "zstd", 8), (5_000, "lz4", 8), (6_700, "lz4", 3)]
# What librdkafka calls the thread of a broker, at its beginning.
BROKER_THREAD = "rdk:broker"


def look(topic, worker):
    """The time, messages of the topic, and CPU seconds of the worker: of all threads it ever had, and of those for brokers."""
    of_brokers = 0
    for thread in pathlib.Path(f"/proc/{worker.process.pid}/task").iterdir():
        with contextlib.suppress(FileNotFoundError):  # It has just ended.
            if (thread / "comm").read_text().startswith(BROKER_THREAD):
                of_brokers += int((thread / "schedstat").read_text().split()[0]) / 1e9
    return time.monotonic(), sum(topics.ends(topic).values()), worker.cpu_so_far(), of_brokers


def measure(rate, codec, partitions):
    """Messages a second, and seconds of CPU a second: all of them, and those of librdkafka's threads for brokers."""
    topic = topics.create(f"batches-{codec}-{rate}", partitions)
    place = pathlib.Path(TMP) / topic
    place.mkdir()
    document = manifest.write(manifest.ingest(topic, topic, "file:///raw", max_age="30s"))
    worker = Program(["gristmill", "ingest", "-f", document, "--local", str(place)], os.path.join(TMP, f"{topic}.log"))
    arrival = Arrival(topic, rate, partitions, compression_type=codec)
    try:
        wait("rows are committed", lambda: worker.has_ended() or any(place.rglob("*.parquet")))
        worker.check()
        begin = look(topic, worker)
        time.sleep(SECONDS)
        end = look(topic, worker)
    finally:
        worker.end()
        arrival.end()
    worker.check()
    took, messages, cpu, brokers = (after - before for before, after in zip(begin, end))
    return messages / took, cpu / took, brokers / took


def work():
    lines = ["| messages a second, codec, partitions | thousandths of a core | µs a message | of that in threads of brokers |",
             "|---|---:|---:|---:|"]
    for rate, codec, partitions in STREAMS:
        seen, cpu, brokers = measure(rate, codec, partitions)
        lines.append(f"| {seen:,.0f} in {codec}, {partitions} | {cpu * 1e3:.1f} | {cpu / seen * 1e6:.2f} | {brokers / seen * 1e6:.2f} |")
        say(lines[-1])
    print("\n".join(lines))


if __name__ == "__main__":
    main(work)
