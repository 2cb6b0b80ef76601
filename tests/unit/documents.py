"""Documents made up from a schema: always valid ones, different with every seed, the same with the same seed."""

from __future__ import annotations

import random
import re
from typing import Any

from nova_lite.api.formats import FORMATS

_BY_FORMAT = {
    "name": ["web", "a b", "名前"],
    "name_with_leading_trailing_spaces": [" web "],
    "az_name": ["nova", "zone-1"],
    "printable": ["", "text"],
    "uuid": ["9ad2b0a3-4d1c-4d0e-8f4c-2f6a1f6f4d11", "00000000-0000-0000-0000-000000000000"],
    "uuid_or_empty": ["", "9ad2b0a3-4d1c-4d0e-8f4c-2f6a1f6f4d11"],
    "date-time": ["2016-01-01T00:00:00Z", "2016-01-01", "2026-11-21T10:00:00+01:00"],
    "regex": ["^web.*", "a"],
    "base64": ["aGVsbG8=", ""],
    "cidr": ["10.0.0.0/8"],
    "ip": ["10.0.0.1", "fe80::1"],
    "ipv4": ["10.0.0.1"],
    "ipv6": ["fe80::1"],
    "uri": ["http://127.0.0.1:8774/v2.1/servers/1", "https://host/x?y=z"],
}
# Strings that the patterns of our schemas accept, each by some of them.
_STRINGS = [
    "name",
    "x",
    "web-1",
    "a.b",
    "1",
    "42",
    "-1",
    "1.5",
    "host_1",
    "/24",
    "/dev/vdb",
    "00:11:22:33:44:55",
    "hw:cpu_policy",
    "2026-11-21T10:00:00.000000",
    "",
]


class NoDocument(Exception):
    """No value could be made up for a schema: add one to the lists above."""


def document(schema: Any, dice: random.Random) -> Any:
    """A value that ``schema`` accepts."""
    if schema is True or not isinstance(schema, dict) or not set(schema) - {"ext:ignored", "ext:type"}:
        return dice.choice(["anything", None, 7, {"name": "evil"}, ["x"]])
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return dice.choice(schema["enum"])
    for word in ("oneOf", "anyOf"):
        if word in schema:
            rest = {key: value for key, value in schema.items() if key != word}
            return document(rest | dice.choice(schema[word]), dice)
    if "allOf" in schema:
        merged: dict[str, Any] = {key: value for key, value in schema.items() if key != "allOf"}
        for branch in schema["allOf"]:
            merged |= branch
        return document(merged, dice)
    types = schema.get("type", "string")
    kind = types if isinstance(types, str) else dice.choice(types)
    return _MAKERS[kind](schema, dice)


def _object(schema: dict[str, Any], dice: random.Random) -> dict[str, Any]:
    required = schema.get("required", ())
    made = {
        key: document(inner, dice)
        for key, inner in schema.get("properties", {}).items()
        if key in required or dice.random() < 0.6
    }
    free = [
        (key, inner)
        for pattern, inner in schema.get("patternProperties", {}).items()
        for key in _STRINGS
        if re.search(pattern, key)
    ]
    if isinstance(schema.get("additionalProperties"), dict):  # names that mappings use
        free += [(key, schema["additionalProperties"]) for key in ("name", "id", "server")]
    low, high = schema.get("minProperties", 0), schema.get("maxProperties", 999)
    dice.shuffle(free)
    for key, inner in free[: max(low, min(high, dice.randint(0, 3)))]:
        made.setdefault(key, document(inner, dice))
    if not low <= len(made) <= high:
        return _object(schema, dice)
    return made


def _array(schema: dict[str, Any], dice: random.Random) -> list[Any]:
    low = schema.get("minItems", 1 if schema.get("ext:take") else 0)
    count = dice.randint(low, min(schema.get("maxItems", 3), 3))
    made = [document(schema.get("items", True), dice) for _ in range(count)]
    return made[:1] if schema.get("uniqueItems") else made


def _string(schema: dict[str, Any], dice: random.Random) -> str:
    candidates = list(_BY_FORMAT.get(schema.get("format", ""), _STRINGS))
    dice.shuffle(candidates)
    for text in [*candidates, *_STRINGS]:
        if _fits(text, schema):
            return text
    raise NoDocument(str(schema))


def _fits(text: str, schema: dict[str, Any]) -> bool:
    named = schema.get("format")
    if named in FORMATS and not FORMATS[named][0](text):
        return False
    if not schema.get("minLength", 0) <= len(text) <= schema.get("maxLength", 9999):
        return False
    if "pattern" in schema and not re.search(schema["pattern"], text):
        return False
    bounded = "minimum" in schema or "maximum" in schema
    return not bounded or schema.get("minimum", 0) <= float(text) <= schema.get("maximum", float("inf"))


def _integer(schema: dict[str, Any], dice: random.Random) -> int:
    low = schema.get("minimum", schema.get("exclusiveMinimum", -1) + 1)
    return dice.randint(low, min(schema.get("maximum", low + 100), low + 100))


def _number(schema: dict[str, Any], dice: random.Random) -> float:
    return _integer(schema, dice) + dice.choice([0, 0.5])


_MAKERS: dict[str, Any] = {
    "object": _object,
    "array": _array,
    "string": _string,
    "integer": _integer,
    "number": _number,
    "boolean": lambda schema, dice: dice.random() < 0.5,
    "null": lambda schema, dice: None,
}
