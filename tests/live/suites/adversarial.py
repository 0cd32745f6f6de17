"""Documents that cost more than they weigh, by `gristmill decode`.

Each must be what it is said to be here, with a peak of memory within the worker's budget, in at most ten times the CPU
of a valid document of the same length. Every document is decoded by a process of its own, whose peak and CPU the kernel
tells.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile

SHORT = bool(os.environ.get("GRISTMILL_LIVE_SHORT"))
MIB = 1 << 20
LIMIT = 16 * MIB
BUDGET = (160 + 96) * MIB
RATIO = 10.0
# A process that does nothing takes this long; below, the ratio would be one of noise.
LEAST_SECONDS = 0.03

MANIFEST = """
apiVersion: gristmill.dev/v1alpha1
kind: StreamIngest
metadata: {name: adversarial}
spec:
  source: {kafka: {bootstrapServers: "localhost:9092", topic: documents}}
  record:
    rowPath: /l/b
    columns:
      - {name: id, path: "@id"}
      - {name: t, path: t}
      - {name: "n", path: "n", type: Int32}
      - {name: region, path: /l/@region}
  raw: {path: file:///tmp/never-written}
"""

ROW = "<b id='1'><t>The Silent Mill</t><n>1984</n></b>\n"


def repeat(text, count):
    """`text` count times, in pieces."""
    data = text if isinstance(text, bytes) else text.encode()
    piece = max(1, MIB // len(data))
    while count > 0:
        step = min(piece, count)
        yield data * step
        count -= step


def numbered(form, count):
    for number in range(count):
        yield form.format(number).encode()


def wrap(before, body, after):
    yield before.encode()
    yield from body
    yield after.encode()


def in_row(body):
    return wrap("<l><b><t>", body, "</t></b></l>")


def entities(levels):
    names = [f"<!ENTITY e{level} '{f'&e{level - 1};' * 10}'>" for level in range(1, levels)]
    return f"<!DOCTYPE l [<!ENTITY e0 'ha'>{''.join(names)}]><l><b><t>&e{levels - 1};</t></b></l>"


def once(text):
    yield text if isinstance(text, bytes) else text.encode()


# Name, what it must become, its bytes.
DOCUMENTS = [
    ("entity bomb", "DoctypeNotAllowed", lambda: once(entities(10))),
    ("quadratic entity", "DoctypeNotAllowed", lambda: wrap("<!DOCTYPE l [<!ENTITY a '", repeat("x", 4 * MIB), "'>]><l>" + "&a;" * 50_000 + "</l>")),
    ("entity of itself", "DoctypeNotAllowed", lambda: once("<!DOCTYPE l [<!ENTITY a '&a;'>]><l>&a;</l>")),
    ("external entity", "DoctypeNotAllowed", lambda: once("<!DOCTYPE l [<!ENTITY a SYSTEM 'file:///etc/passwd'>]><l><b><t>&a;</t></b></l>")),
    ("external subset", "DoctypeNotAllowed", lambda: once("<!DOCTYPE l SYSTEM 'http://127.0.0.1:1/l.dtd'><l><b/></l>")),
    ("parameter entity", "DoctypeNotAllowed", lambda: once("<!DOCTYPE l [<!ENTITY % p SYSTEM 'file:///etc/passwd'>%p;]><l/>")),
    ("undefined entities", "NotWellFormed", lambda: in_row(repeat("&x;", 4 * MIB))),
    ("nesting of 100,000", "TooDeep", lambda: wrap("<l>", repeat("<b>", 100_000), "</b>" * 100_000 + "</l>")),
    ("5 million starts", "TooDeep", lambda: repeat("<a>", 5_000_000)),
    ("attribute of 100 MB", "MessageTooLarge", lambda: wrap("<l><b id='", repeat("x", 100_000_000), "'/></l>")),
    ("attribute of 15 MiB", "TextTooLong", lambda: wrap("<l><b id='", repeat("x", 15 * MIB), "'/></l>")),
    ("attribute of references", "TextTooLong", lambda: wrap("<l><b id='", repeat("&lt;", 15 * MIB // 4), "'/></l>")),
    ("attribute without an end", "NotWellFormed", lambda: wrap("<l><b id='", repeat("x", 15 * MIB), "")),
    ("1,000,000 attributes", "TooManyAttributes", lambda: wrap("<l><b", numbered(" a{}=''", 1_000_000), "/></l>")),
    ("900,000 declarations", "TooManyAttributes", lambda: wrap("<l><b", numbered(" xmlns:a{}='u'", 900_000), "/></l>")),
    ("text of 100 MB", "MessageTooLarge", lambda: in_row(repeat("x", 100_000_000))),
    ("text of 15 MiB", "TextTooLong", lambda: in_row(repeat("x", 15 * MIB))),
    ("text in 4 million pieces", "accepted", lambda: in_row(repeat("&lt;", 15 * MIB // 4))),
    ("text of ends of CDATA", "accepted", lambda: in_row(repeat("]", 9 * MIB))),
    ("text of carriage returns", "accepted", lambda: in_row(repeat("\r", 9 * MIB))),
    ("text in 700,000 CDATA", "accepted", lambda: in_row(repeat("<![CDATA[x]]><!---->", 700_000))),
    ("reference of 15 MiB", "accepted", lambda: in_row(wrap("&#", repeat("0", 15 * MIB), "65;"))),
    ("entity name of 15 MiB", "NotWellFormed", lambda: in_row(wrap("&", repeat("x", 15 * MIB), ";"))),
    ("element name of 7 MiB", "accepted", lambda: wrap("<l><b/><", repeat("x", 7 * MIB), "/></l>")),
    ("comment of hyphens", "NotWellFormed", lambda: wrap("<l><!--", repeat("-", 15 * MIB), "")),
    ("comment without an end", "NotWellFormed", lambda: wrap("<l><!--", repeat(" -", 7 * MIB), "")),
    ("declaration without an end", "NotWellFormed", lambda: wrap("<?xml version='1.0'", repeat(" ", 15 * MIB), "")),
    ("5 million instructions", "NoRows", lambda: wrap("<l>", repeat("<?p?>", 3_000_000), "</l>")),
    ("redeclared prefix", "NoRows", lambda: wrap("<l>", repeat("<p:c xmlns:p='u'/>", 800_000), "</l>")),
    ("wide elements", "NoRows", lambda: wrap("<l>", repeat("<c" + "".join(f" a{n}=''" for n in range(900)) + "/>", 1_500), "</l>")),
    ("100,001 rows", "TooManyRows", lambda: wrap("<l>", repeat("<b/>", 100_001), "</l>")),
    ("100,000 invalid rows", "InvalidType", lambda: wrap("<l>", repeat("<b><n>x</n></b>", 100_000), "</l>")),
    ("repeated outside text", "MessageTooLarge", lambda: wrap("<l region='" + "x" * MIB + "'>", repeat("<b/>", 100_000), "</l>")),
    ("NUL in text", "NotWellFormed", lambda: once(b"<l><b><t>\0</t></b></l>")),
    ("15 MiB of NUL", "NotWellFormed", lambda: repeat(b"\0", 15 * MIB)),
    ("bytes that are not UTF-8", "InvalidEncoding", lambda: repeat(b"\x80", 15 * MIB)),
    ("truncated UTF-16", "InvalidEncoding", lambda: once("\ufeff<l><b><t>x</t></b></l>".encode("utf-16-le")[:-1])),
    ("truncated UTF-16 of 15 MiB", "InvalidEncoding", lambda: wrap_utf16(repeat("x".encode("utf-16-be"), 15 * MIB // 2), b"\xd8")),
    ("UTF-16 that is longer as UTF-8", "MessageTooLarge", lambda: wrap_utf16(repeat("€".encode("utf-16-be"), 15 * MIB // 2), b"")),
    ("ISO-8859-1 that is longer as UTF-8", "MessageTooLarge", lambda: wrap("<?xml version='1.0' encoding='ISO-8859-1'?><l>", repeat(b"\xe9", 15 * MIB), "</l>")),
]


def wrap_utf16(body, end):
    yield "\ufeff<l><b><t>".encode("utf-16-be")
    yield from body
    yield end


def write(path, pieces):
    with open(path, "wb") as file:
        for piece in pieces:
            file.write(piece)
    return path.stat().st_size


def decode(folder, path):
    """Result, CPU seconds and peak bytes of one document."""
    with open(folder / "out.json", "wb") as out:
        process = subprocess.Popen(["gristmill", "decode", "--json", "-f", "adversarial.yaml", path.name], cwd=folder, stdout=out)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"gristmill decode ended with {process.returncode}")
    with open(folder / "out.json", encoding="utf-8") as out:
        result = json.load(out)
    return result, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024


def decode_within(bound, folder, path):
    """As `decode`, with the least CPU seconds of three tries if the first takes more than the bound: what else runs on the
    machine makes CPU time longer, and never shorter."""
    result, seconds, peak = decode(folder, path)
    for _ in range(2):
        if seconds > bound:
            seconds = min(seconds, decode(folder, path)[1])
    return result, seconds, peak


def become(result):
    reasons = {reject["reason"] for reject in result["rejects"]}
    if result["result"] == "accepted":
        return "accepted" if not reasons else f"accepted with {sorted(reasons)}"
    return reasons.pop() if len(reasons) == 1 else f"several reasons {sorted(reasons)}"


def valid(folder, length, known):
    """CPU seconds of a valid document of this length, which is at most the limit; in steps of a quarter."""
    step = 4096
    while step * 5 // 4 <= min(length, LIMIT - 4096):
        step = step * 5 // 4
    if step not in known:
        path = folder / "valid.xml"
        # Not more rows than a message may have: beyond that, texts outside of them.
        rows = min(step // len(ROW), 90_000)
        rest = max(0, step - rows * len(ROW))
        write(path, wrap("<l region='north'>\n", (piece for part in (repeat(ROW, rows), repeat("<x>text</x>\n", rest // 12)) for piece in part), "</l>"))
        result, seconds, _ = decode(folder, path)
        assert become(result) == "accepted", result["rejects"][:1]
        known[step] = max(seconds, LEAST_SECONDS)
    return known[step]


def main():
    folder = pathlib.Path(os.environ.get("SUITE_TMP") or tempfile.mkdtemp())
    (folder / "adversarial.yaml").write_text(MANIFEST)
    known, wrong, greatest = {}, [], (0.0, 0)
    print(f"{'document':36}{'MiB':>8}{'becomes':>20}{'CPU s':>8}{'ratio':>8}{'peak MiB':>10}")
    for name, expected, pieces in DOCUMENTS:
        path = folder / "document.xml"
        length = write(path, pieces())
        usual = valid(folder, length, known)
        result, seconds, peak = decode_within(RATIO * usual, folder, path)
        found = become(result)
        ratio = seconds / usual
        greatest = (max(greatest[0], ratio), max(greatest[1], peak))
        print(f"{name:36}{length / MIB:8.1f}{found:>20}{seconds:8.3f}{ratio:8.2f}{peak / MIB:10.1f}", flush=True)
        if found != expected:
            wrong.append(f"{name}: {found}, expected {expected}: {result['rejects'][:1]}")
        if peak > BUDGET:
            wrong.append(f"{name}: {peak / MIB:.0f} MiB, the budget is {BUDGET / MIB:.0f}")
        if ratio > RATIO:
            wrong.append(f"{name}: {ratio:.1f} times the CPU of a valid document of the same length")
        path.unlink()
    for line in wrong:
        print("WRONG", line)
    print(f"{len(DOCUMENTS)} documents; greatest ratio {greatest[0]:.2f} of {RATIO:.0f}, greatest peak {greatest[1] / MIB:.0f} MiB of {BUDGET // MIB}")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
