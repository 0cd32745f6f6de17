"""curve_messages.py WISH: makes a topic and fills it with messages that `gristmill produce` does not make.

The wish is one JSON object with `topic`, `partitions`, `seed` and a `form` with what that form needs:

    books   `length` bytes a message, `total` bytes: books by the rules of the quickstart, as many as go into a message
    bad     `messages` of three books each, `share` percent of them bad: the half is not well-formed, the half has one
            book that breaks a rule
    table   `columns` of four types, `rows` a message, `messages`

Prints what was sent as JSON: messages, bytes, and the rows and rejects that the zone must hold. A process of its own, since
whoever measures has to stay small.
"""

import json
import random
import sys

import topics

# A batch of the producer and its headers come on top of a message.
ROOM = 1 << 20
TITLES = ["The Silent Mill", "A Golden River", "The Distant Harbour", "The Iron Orchard", "Paper Atlas", "The Last Voyage"]
AUTHORS = ["Ada Brandt", "Mei Lin", "José Álvarez", "Łukasz Nowak", "Siobhán Murphy", "Kaito Tanaka"]
# Different values of each type of a table: so many that no dictionary is small.
POOL = 10_000


def book(draw, price=None):
    number = f"{draw.getrandbits(128):032x}"
    record_id = f"{number[:8]}-{number[8:12]}-{number[12:16]}-{number[16:20]}-{number[20:]}"
    price = price or f"{draw.randrange(1, 100)}.{draw.randrange(10, 100)}"
    return (f"<book><record_id>{record_id}</record_id><title>{draw.choice(TITLES)} {draw.randrange(10_000)}</title>"
            f"<author><name>{draw.choice(AUTHORS)}</name><country>DE</country></author>"
            f"<publication_year>{draw.randrange(1970, 2026)}</publication_year><price>{price}</price>"
            f"<updated_at>2025-{draw.randrange(1, 13):02}-{draw.randrange(1, 29):02}T08:15:00Z</updated_at></book>")


def library(books):
    return "<library region='north'>" + "".join(books) + "</library>"


def books(draw, length, total):
    """(value, rows, rejects) of each message: whole books, at least one."""
    sent = 0
    while sent < total:
        rows, size = [], len(library([]))
        while not rows or size < length - len(rows[-1]):
            rows.append(book(draw))
            size += len(rows[-1])
        value = library(rows).encode()
        sent += len(value)
        yield value, len(rows), 0


def bad(draw, messages, share):
    for number in range(messages):
        # Every hundred messages have the share exactly, spread over them.
        is_bad = (number % 100) * share % 100 < share
        kind = (number % 100) * share // 100 % 2
        rows = [book(draw) for _ in range(3)]
        if not is_bad:
            yield library(rows).encode(), 3, 0
        elif kind == 0:
            yield library(rows).removesuffix("</library>").encode(), 0, 1
        else:
            yield library([rows[0], book(draw, price="free"), rows[2]]).encode(), 2, 1


def table(draw, columns, rows, messages):
    pools = [[f"word {draw.randrange(10**9)}" for _ in range(POOL)],
             [str(draw.randrange(2_000_000)) for _ in range(POOL)],
             [f"{draw.randrange(1_000_000)}.{draw.randrange(10, 100)}" for _ in range(POOL)],
             [f"2025-{draw.randrange(1, 13):02}-{draw.randrange(1, 29):02}T{draw.randrange(24):02}:15:00Z" for _ in range(POOL)]]
    for _ in range(messages):
        value = "".join("<r>" + "".join(f"<c{column}>{draw.choice(pools[column % 4])}</c{column}>" for column in range(columns))
                        + "</r>" for _ in range(rows))
        yield f"<t>{value}</t>".encode(), rows, 0


FORMS = {"books": books, "bad": bad, "table": table}


def main():
    wish = json.loads(sys.argv[1])
    topic, partitions, seed, form = (wish.pop(name) for name in ("topic", "partitions", "seed", "form"))
    topics.create(topic, partitions, max_message_bytes=max(wish.get("length", 0), ROOM) + ROOM)
    sent = {"messages": 0, "bytes": 0, "rows": 0, "rejects": 0}

    def messages():
        for number, (value, rows, rejects) in enumerate(FORMS[form](random.Random(seed), **wish)):
            for name, count in (("messages", 1), ("bytes", len(value)), ("rows", rows), ("rejects", rejects)):
                sent[name] += count
            yield number % partitions, str(number).encode(), value

    # Messages wait in the client by their bytes: those of 10 MB would be 100,000 of them by its default.
    client = topics.producer(queue_buffering_max_kbytes=256 << 10, compression_type="none")
    topics.send(topic, messages(), client)
    print(json.dumps(sent))


if __name__ == "__main__":
    main()
