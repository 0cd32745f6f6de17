"""The rules of a StreamIngest's record block as a person would read them, over lxml. No code of ours."""

import datetime
import decimal
import re

from lxml import etree

XML_SPACE = " \t\r\n"
NUMBER = re.compile(r"^[+-]?(\d+(\.\d*)?|\.\d+)$")


class Broken(Exception):
    """A rule that a value breaks: (reason, column)."""


class Rules:
    """Only what the manifests of the suites use: elements and attributes without namespaces, none of them repeated."""

    def __init__(self, record):
        self.root, self.row = record["rowPath"].strip("/").split("/")
        self.columns = [Column(column) for column in record["columns"]]
        self.names = [column.name for column in self.columns]

    def read(self, document):
        """(rows by index, rejects by index); a reject of the whole message has index None."""
        try:
            root = etree.fromstring(document, etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=True))
        except etree.XMLSyntaxError:
            return {}, {None: ("NotWellFormed", None)}
        elements = root.findall(self.row) if root.tag == self.root else []
        if not elements:
            return {}, {None: ("NoRows", None)}
        rows, rejects = {}, {}
        for index, element in enumerate(elements):
            try:
                rows[index] = tuple(column.value(root, element) for column in self.columns)
            except Broken as broken:
                rejects[index] = broken.args
        return rows, rejects


class Column:
    """One column; the first rule that its value breaks is the reason."""

    def __init__(self, column):
        self.name, path = column["name"], column["path"]
        self.from_root = path.startswith("/")
        steps = path.strip("/").split("/")[1:] if self.from_root else path.split("/")
        self.attribute = steps.pop()[1:] if steps and steps[-1].startswith("@") else None
        self.element = "/".join(steps)
        self.type = column.get("type", "String")
        self.null_if = set(column.get("nullIf", ()))
        self.required = column.get("required", False)
        self.pattern = re.compile(column["pattern"]) if "pattern" in column else None
        self.scale = column.get("scale", 0)
        self.digits = column.get("precision", 38) - self.scale
        self.least, self.most = column.get("minLength"), column.get("maxLength")
        self.min = None if "min" not in column else self.typed(str(column["min"]))
        self.max = None if "max" not in column else self.typed(str(column["max"]))

    def text(self, root, row):
        element = root if self.from_root else row
        element = element.find(self.element) if self.element else element
        if element is None:
            return None
        text = (element.text or "") if self.attribute is None else element.get(self.attribute)
        return None if text is None else text.strip(XML_SPACE)

    def value(self, root, row):
        text = self.text(root, row)
        if text in self.null_if or (text == "" and self.type != "String"):
            text = None
        if text is None:
            if self.required:
                raise Broken("Required", self.name)
            return None
        value = self.typed(text)
        if self.pattern is not None and not self.pattern.search(text):
            raise Broken("PatternMismatch", self.name)
        if self.min is not None and value < self.min:
            raise Broken("BelowMin", self.name)
        if self.max is not None and value > self.max:
            raise Broken("AboveMax", self.name)
        if self.least is not None and len(text) < self.least:
            raise Broken("TooShort", self.name)
        if self.most is not None and len(text) > self.most:
            raise Broken("TooLong", self.name)
        return value

    def typed(self, text):
        try:
            return getattr(self, f"as_{self.type.lower()}")(text)
        except (ValueError, decimal.InvalidOperation):
            raise Broken("InvalidType", self.name) from None

    def as_string(self, text):
        return text

    def as_int32(self, text):
        return int(text)

    def as_float64(self, text):
        return float(text)

    def as_decimal(self, text):
        if not NUMBER.match(text):
            raise ValueError(text)
        value = decimal.Decimal(text)
        exact = value.quantize(decimal.Decimal(1).scaleb(-self.scale))
        if exact != value or abs(value) >= decimal.Decimal(10) ** self.digits:
            raise ValueError(text)
        return exact

    def as_date(self, text):
        return datetime.date.fromisoformat(text)

    def as_timestamp(self, text):
        return datetime.datetime.fromisoformat(text).astimezone(datetime.timezone.utc)
