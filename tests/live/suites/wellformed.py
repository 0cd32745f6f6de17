"""The decoder against libxml2 (lxml) and expat (the standard library) on mutated documents.

None that both refuse may be accepted, none that both accept may be refused, and what both of us accept must have the
same text. WELLFORMED_SEED repeats a run, WELLFORMED_COUNT sets the number of documents.

Both parsers are asked for namespaces, which the decoder counts as part of well-formedness. What the decoder refuses on
purpose is taken out where the parsers themselves say that the document has it: a document type declaration, another
version, an encoding that is not read, or a declaration that contradicts the bytes.
"""

import collections
import json
import os
import pathlib
import random
import re
import subprocess
import sys
import tempfile
from xml.parsers import expat

from lxml import etree

SHORT = bool(os.environ.get("GRISTMILL_LIVE_SHORT"))
COUNT = int(os.environ.get("WELLFORMED_COUNT", "4000" if SHORT else "60000"))
SEED = int(os.environ.get("WELLFORMED_SEED", str(random.SystemRandom().randrange(2**32))))
BATCH = 2000
PER_CALL = 500

MANIFEST = """
apiVersion: gristmill.dev/v1alpha1
kind: StreamIngest
metadata: {name: wellformed}
spec:
  source: {kafka: {bootstrapServers: "localhost:9092", topic: documents}}
  record:
    rowPath: /a
    columns:
      - {name: text, path: text(), trim: false}
      - {name: attribute, path: "@b", trim: false}
  raw: {path: file:///tmp/never-written}
"""

# Everything that the grammar has, in documents of a line or two.
SEEDS = [
    "<a/>",
    "<a>text</a>",
    "<a b='1' c=\"2\">x<d/>y<e>z</e></a>",
    "<?xml version='1.0' encoding='{}'?><a b='é'>grüße &amp; more</a>",
    "<?xml version=\"1.0\" encoding=\"{}\" standalone=\"yes\"?>\n<a><b>1</b>\r\n<c>2</c>\r</a>\n",
    "<a><![CDATA[ <&]] > ]]>x<![CDATA[]]></a>",
    "<!-- c --><?p q?><a>1<!-- - -->2<?r?>3</a><!----><?s t ?>",
    "<a b='&lt;&quot;&#65;&#x42;\n\t'>&amp;&gt;&apos;&#10;&#xE9;&#x1F600;</a>",
    "<a xmlns='urn:a' xmlns:x='urn:x' x:c='1' c='2'><x:d/><e xmlns=''/></a>",
    "<x:a xmlns:x='u' xmlns:y='v'><y:b x:c='1' y:c='2'/></x:a>",
    "<a xml:lang='en' xml:space='preserve'> <größe ñ='1'/> </a>",
    "<a>" + "<b>" * 12 + "x" + "</b>" * 12 + "</a>",
    "<a  b = 'x'\n\tc\n=\n'y' ><d ></d\n></a >",
    "<a_.-1><b-.2/></a_.-1>",
    "<a>]] > ]&gt;</a>",
    "<!DOCTYPE a><a/>",
    "<?xml version='1.1'?><a/>",
]

TOKENS = [
    "<", ">", "/>", "</", "<a>", "</a>", "<b>", "</b>", "<b/>", "<a/>", "&", ";", "&amp;", "&lt;", "&nbsp;", "&#0;", "&#9;",
    "&#xD800;", "&#x110000;", "&#x;", "&#65", "'", '"', "=", " ", "\t", "\r\n", "\n", "<!--", "-->", "--", "-", "<![CDATA[",
    "]]>", "]]", "<?", "?>", "<?p?>", "<?xml version='1.0'?>", "<?XML?>", "<?p:q r?>", "<!", "<!DOCTYPE a>", "!", "?", "/",
    " b='1'", " b='2'", " x:b='1'", " xmlns='u'", " xmlns:x='u'", " xmlns:x=''", " xmlns:y='urn:x'", " xml:b=''", "x:", ":",
    "xmlns:", " xmlns:xml='u'", " xmlns:xmlns='u'", " xmlns:z='http://www.w3.org/XML/1998/namespace'", "1", "-x", ".", "\0",
    "\x01", "\x0b", "\x7f", "\x85", "\xa0", "é", "ñ", "\u0300", "\u2028", "\ufeff", "\ufffd", "\ufffe", "\uffff", "😀", "€",
    "日本", " version='1.0'", " encoding='utf-8'", " encoding='x'", " standalone='no'", " standalone='maybe'", "x" * 300,
]

# Allowed in most places between tags.
HARMLESS = ["<b/>", "<b>x</b>", "<!-- c -->", "<?p q?>", "<![CDATA[<&]]>", "&lt;", "&#x20AC;", " \r\n", "x", "]", "é", "<y:b xmlns:y='v' y:c=''/>"]

ENCODINGS = ["utf-8"] * 10 + ["utf-16", "utf-16-le", "utf-16-be", "iso-8859-1", "us-ascii", "windows-1250", "windows-1251", "windows-1252", "windows-1257"]
MARKS = {"utf-16-le": b"\xff\xfe", "utf-16-be": b"\xfe\xff", "utf-8": b"\xef\xbb\xbf"}
LABELS = {"utf-16-le": "UTF-16", "utf-16-be": "UTF-16"}
READ = re.compile(r"utf-?8|utf-16([bl]e)?|(us-)?ascii|iso[-_]?8859-1|latin1|(windows-|cp)125[0-8]", re.IGNORECASE)


def mutate(text, rng):
    for _ in range(rng.choice([0, 1, 1, 1, 1, 2, 2, 3])):
        at = rng.randrange(len(text) + 1)
        if rng.random() < 0.5:  # behind a tag, where more is allowed
            at = text.find(">", at) + 1 or at
        length = rng.choice([0, 0, 0, 0, 1, 2, 3, 8])
        way = rng.randrange(8)
        if way < 3:
            text = text[:at] + rng.choice(TOKENS) + text[at + length :]
        elif way == 3:
            text = text[:at] + rng.choice(HARMLESS) + text[at:]
        elif way == 4:
            text = text[:at] + text[at + length + 1 :]
        elif way == 5:  # a part again, somewhere
            start = rng.randrange(len(text) + 1)
            text = text[:at] + text[start : start + rng.randrange(1, 20)] + text[at:]
        elif way == 6:
            text = text[:at]
        else:
            text = text[:at] + rng.choice(SEEDS)[rng.randrange(8) :] + text[at:]
    return text


def document(rng):
    """One document: mutated as text, encoded, and sometimes mutated as bytes."""
    encoding = rng.choice(ENCODINGS)
    seed = rng.choice(SEEDS)
    if encoding not in ("utf-8", "utf-16") and "{}" not in seed and rng.random() < 0.9:
        seed = "<?xml version='1.0' encoding='{}'?>" + seed
    label = LABELS.get(encoding, encoding) if rng.random() < 0.95 else rng.choice(ENCODINGS + ["utf-7", "none"])
    text = mutate(seed.replace("{}", label), rng)
    data = text.encode(encoding, "ignore" if rng.random() < 0.9 else "replace")
    marked = {"utf-16-le": 0.8, "utf-16-be": 0.8}.get(encoding, 0.1)
    if encoding in MARKS and rng.random() < marked:
        data = MARKS[encoding] + data
    if rng.random() < 0.15:
        at = rng.randrange(len(data) + 1)
        junk = bytes(rng.choice([0, 0x3C, 0x80, 0x81, 0xC3, 0xE9, 0xED, 0xF4, 0xFE, 0xFF, 0xD8]) for _ in range(rng.randrange(3)))
        data = data[:at] + junk + data[at + rng.randrange(3) :]
    return data


class Expat:
    """The verdict of expat, and what it says of the document."""

    def __init__(self, data):
        self.version, self.encoding, self.doctype = "1.0", None, False
        parser = expat.ParserCreate(namespace_separator="\n")
        parser.XmlDeclHandler = self.declaration
        parser.StartDoctypeDeclHandler = lambda *_: setattr(self, "doctype", True)
        try:
            parser.Parse(data, True)
            self.error = None
        except (expat.ExpatError, ValueError, LookupError) as error:
            self.error = str(error)

    def declaration(self, version, encoding, _standalone):
        self.version, self.encoding = version, encoding


def libxml2(data):
    """The root, or None with the error."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
    try:
        return etree.fromstring(data, parser), None
    except (etree.XMLSyntaxError, LookupError, ValueError) as error:
        return None, str(error)


def contradicts(data, encoding):
    """True if the declared encoding is not that of the first bytes, or UTF-16 is neither marked nor declared."""
    wide = data[:2] in (b"\xff\xfe", b"\xfe\xff") or 0 in data[:2]
    if encoding is None:
        return wide and data[:2] not in (b"\xff\xfe", b"\xfe\xff")
    declared = encoding.upper()
    if not wide:
        return declared.startswith("UTF-16") or (data[:3] == b"\xef\xbb\xbf" and not declared.startswith("UTF"))
    little = data[:2] == b"\xff\xfe" or data[1] == 0
    return declared not in ("UTF-16", "UTF-16LE" if little else "UTF-16BE")


def on_purpose(reason, data, said):
    """True if the parsers agree that the document has what the decoder refuses on purpose."""
    encoding = said.encoding or "utf-8"
    return {
        "DoctypeNotAllowed": said.doctype,
        "UnsupportedVersion": said.version != "1.0",
        # Such as "1.", which no version of the specification allows.
        "NotWellFormed": not re.fullmatch(r"[0-9]+\.[0-9]+", said.version),
        "UnsupportedEncoding": not READ.fullmatch(encoding),
        "InvalidEncoding": contradicts(data, said.encoding),
    }.get(reason, False)


def expected_row(root):
    """Own text of the root and its attribute b; None where the decoder would see a repetition."""
    names = [name for name in root.attrib if etree.QName(name).localname == "b"]
    if etree.QName(root).localname != "a" or len(names) > 1:
        return None
    text = (root.text or "") + "".join(child.tail or "" for child in root)
    return {"text": text, "attribute": root.attrib[names[0]] if names else None}


def ours(folder, names):
    for start in range(0, len(names), PER_CALL):
        part = names[start : start + PER_CALL]
        run = subprocess.run(["gristmill", "decode", "--json", "-f", "wellformed.yaml", *part], cwd=folder, capture_output=True)
        if run.returncode != 0:
            sys.exit(f"gristmill decode ended with {run.returncode}: {run.stderr.decode()}")
        lines = run.stdout.splitlines()
        assert len(lines) == len(part), f"{len(lines)} lines for {len(part)} documents"
        yield from map(json.loads, lines)


def judge(data, result, tally):
    """What is wrong with a result, or None."""
    reason = result["rejects"][0]["reason"] if result["rejects"] else "accepted"
    tally[reason] += 1
    said = Expat(data)
    root, error = libxml2(data)
    accepted = reason in ("accepted", "NoRows", "RepeatedElement")
    tally[f"libxml2 {'refuses' if error else 'accepts'}, expat {'refuses' if said.error else 'accepts'}, we {'accept' if accepted else 'refuse'}"] += 1
    if accepted and error and said.error:
        return f"accepted; libxml2: {error}; expat: {said.error}"
    if not accepted and not error and not said.error:
        if on_purpose(reason, data, said):
            tally[f"{reason} on purpose"] += 1
            return None
        return f"refused, both accept: {result['rejects'][0]}"
    if reason == "accepted" and not error:
        row = expected_row(root)
        if row is not None and result["rows"] != [row]:
            return f"rows {result['rows']}, libxml2 has {row}"
        tally["texts compared"] += 1
    return None


def main():
    print(f"seed {SEED}: {COUNT} documents; libxml2 {'.'.join(map(str, etree.LIBXML_VERSION))}, {expat.EXPAT_VERSION}")
    rng = random.Random(SEED)
    tally, wrong = collections.Counter(), []
    folder = pathlib.Path(os.environ.get("SUITE_TMP") or tempfile.mkdtemp())
    (folder / "wellformed.yaml").write_text(MANIFEST)
    for start in range(0, COUNT, BATCH):
        documents = [document(rng) for _ in range(min(BATCH, COUNT - start))]
        names = [f"{index}.xml" for index in range(len(documents))]
        for name, data in zip(names, documents):
            (folder / name).write_bytes(data)
        for data, result in zip(documents, ours(folder, names)):
            problem = judge(data, result, tally)
            if problem:
                wrong.append((data, problem))
    for what, count in sorted(tally.items()):
        print(f"{count:8} {what}")
    for data, problem in wrong[:40]:
        print(f"WRONG {data!r}\n      {problem}")
    for verdict in ("accepts", "refuses"):
        both = f"libxml2 {verdict}, expat {verdict}, we {verdict.removesuffix('s')}"
        if tally[both] < COUNT / 20:
            wrong.append((b"", both))
            print(f"WRONG only {tally[both]} documents of the kind: {both}; the mutations are no test")
    print(f"{len(wrong)} wrong of {COUNT}")
    sys.exit(bool(wrong))


main()
