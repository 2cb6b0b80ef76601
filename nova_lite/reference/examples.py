"""Example documents made from schemas: always the same, accepted by the schema, with values a reader believes.

A request shows the required keys, the usual optional ones and whatever its version brought; an answer shows all that
an administrator would see. A schema's own ``examples`` keyword beats everything that is made up here.
"""

from __future__ import annotations

import functools
import hashlib
import json
import re
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import jsonschema

from nova_lite.api.formats import FORMATS
from nova_lite.reference import values

Schema = Mapping[str, Any]
Part = Literal["input", "query", "output"]
HOST = "http://127.0.0.1:8774"

_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_DNS, "nova-lite.reference")
_IDENTIFIER = re.compile(r"(.*?)_?(id|uuid|Ref|_ref)$")
# Other names of the same thing, so that its identifier is the same everywhere.
_SAME_THING = {
    "block_device": "image",
    "block_device_mapping_v2": "image",
    "instance": "server",
    "tenant": "project",
}
# Identifiers whose key does not say so.
_UNMARKED = {"tenant": "tenant_id"}
_STOCK = ("1", "true", "example", "00:16:3e:00:00:01", values.CREATED, values.NAIVE_CREATED, "192.0.2.10", "/32", "a")
_BY_FORMAT = {
    "date-time": values.CREATED,
    "ipv4": "192.0.2.10",
    "ipv6": "2001:db8::10",
    "ip": "192.0.2.10",
    "cidr": "192.0.2.0/24",
    "uri": f"{HOST}/",
    "base64": "IyEvYmluL3NoCg==",
}


class ExampleError(Exception):
    """No believable value is known for a key; the message says where to add one."""


def format_checker() -> jsonschema.FormatChecker:
    """jsonschema's checker with the formats of this project."""
    checker = jsonschema.FormatChecker()
    for name, (check, _) in FORMATS.items():
        checker.checks(name)(_for_strings(check))
    return checker


def _for_strings(check: Callable[[str], bool]) -> Callable[[object], bool]:
    return lambda value: not isinstance(value, str) or check(value)


_FORMATS = format_checker()


@functools.lru_cache(maxsize=4096)
def _validator(text: str) -> jsonschema.protocols.Validator:
    return jsonschema.Draft202012Validator(json.loads(text), format_checker=_FORMATS)


def accepts(schema: Schema, value: Any) -> bool:
    """Whether ``value`` is valid, formats included."""
    return _validator(json.dumps(schema, sort_keys=True)).is_valid(value)


def identifier(thing: str) -> str:
    """The uuid that one kind of thing has in every example."""
    digest = hashlib.sha256(_NAMESPACE.bytes + _SAME_THING.get(thing, thing).encode()).digest()
    return str(uuid.UUID(bytes=digest[:16], version=4))


def singular(name: str) -> str:
    """'flavors' → 'flavor', 'properties' → 'property'."""
    if name.endswith("ies"):
        return name[:-3] + "y"
    return name[:-1] if name.endswith("s") and not name.endswith(("ss", "us", "is")) else name


@dataclass(frozen=True)
class Maker:
    """Makes the documents of one operation at one version.

    :param part: which document.
    :param focus: paths (as in keys.py) that this version brought: they are shown whatever else is left out.
    :param prefix: '/v2.1' or '/v3', for links.
    :param addresses: thing → the path that shows it, for links.
    :param thing: what the operation's resource is called, for keys that stand in no object.
    :param marker: what names one thing of a listing.
    :param request: path and query of the request, for the link to the next page.
    :param said: what the request's body said, by path: the answer repeats it.
    """

    part: Part
    focus: frozenset[str] = frozenset()
    prefix: str = "/v2.1"
    addresses: Mapping[str, str] = field(default_factory=dict)
    thing: str = ""
    marker: str = ""
    request: str = ""
    said: Mapping[str, Any] = field(default_factory=dict)

    def document(self, schema: Schema) -> Any:
        """:raises ExampleError: with the path of the key that nothing is known for."""
        made = self._make(schema, "", self.thing)
        if not accepts(schema, made):
            raise ExampleError(f"the example is not valid: {made}; give the schema an 'examples' keyword")
        return made

    def query(self, schema: Schema) -> dict[str, list[Any]]:
        """The parameters that this version brought; of the others a page size where there is one."""
        shown = {}
        for name, given in schema.get("properties", {}).items():
            if name in self.focus or name == "limit":
                by_name = self.marker if name == "marker" else None
                shown[name] = [by_name or self._make(given.get("items"), name, self.thing)]
        return shown

    # -- values ----------------------------------------------------------------------------------------------

    def _make(self, schema: Any, path: str, thing: str) -> Any:
        schema = schema if isinstance(schema, Mapping) else {}
        if schema.get("examples"):
            return schema["examples"][0]
        if "const" in schema:
            return schema["const"]
        key = _last(path)
        if key.endswith("links") and "array" in _types(schema):
            return self._links(key, path, thing)
        opened = any(brought.startswith((path + "/", path + "[]")) for brought in self.focus) if path else True
        if not opened:
            for known in self._known(thing, key, path):
                if accepts(schema, known):
                    return known
        branches = [*schema.get("oneOf", ()), *schema.get("anyOf", ())]
        if branches:
            return self._make(next((b for b in branches if b.get("type") != "null"), branches[0]), path, thing)
        types = _types(schema)
        if "object" in types or "properties" in schema:
            return self._object(schema, path, thing)
        if "array" in types:
            return self._list(schema, path, thing)
        return self._scalar(schema, types, key, path, thing)

    def _known(self, thing: str, key: str, path: str) -> Iterable[Any]:
        for told in (path, key):
            if told in self.said:
                yield self.said[told]
        tables = [values.IN_REQUESTS, values.VALUES] if self.part != "output" else [values.VALUES]
        for name in (f"{thing}/{key}", key):
            for table in tables:
                yield from table.get(name, ())

    def _object(self, schema: Schema, path: str, thing: str) -> dict[str, Any]:
        inner = singular(_last(path)) if path else thing
        made = {}
        for name, value in schema.get("properties", {}).items():
            below = f"{path}/{name}" if path else name
            if value is not False and self._shown(name, value, below, name in schema.get("required", ())):
                made[name] = self._make(value, below, inner)
        free = schema.get("additionalProperties")
        for value in [*schema.get("patternProperties", {}).values(), *([free] if isinstance(free, Mapping) else [])]:
            if not made:
                made["key"] = self._make(value, f"{path}/{{key}}", inner) if value else "value"
        return made

    def _shown(self, name: str, schema: Any, path: str, required: bool) -> bool:
        if required or any(path == brought or brought.startswith((path + "/", path + "[]")) for brought in self.focus):
            return True
        schema = schema if isinstance(schema, Mapping) else {}
        if self.part == "output":
            return name not in values.SELDOM_ANSWERED or "ext:policy" in schema
        return name not in values.SELDOM_ASKED and "ext:policy" not in schema and not schema.get("ext:ignored")

    def _list(self, schema: Schema, path: str, thing: str) -> list[Any]:
        if schema.get("maxItems") == 0 or not isinstance(schema.get("items"), Mapping):
            return []
        return [self._make(schema["items"], f"{path}[]", thing)]

    def _scalar(self, schema: Schema, types: list[str], key: str, path: str, thing: str) -> Any:
        for value in self._candidates(schema, types, key, thing):
            if accepts(schema, value):
                return value
        raise ExampleError(
            f"no example value is known for '{path}': add '{key}' to nova_lite/reference/values.py, or give the "
            "schema an 'examples' keyword"
        )

    def _candidates(self, schema: Schema, types: list[str], key: str, thing: str) -> Iterable[Any]:
        if "enum" in schema and schema.get("ext:type") != "boolean":
            yield from (value for value in schema["enum"] if value is not None)
        for kind in [schema.get("ext:type"), *types]:
            if kind == "boolean" and self.part != "query":
                yield self.part == "input"
            elif kind in ("integer", "number") and self.part != "query":
                yield from (1, schema.get("minimum", 0), schema.get("maximum", 0))
        if not types:
            yield None
        if match := _IDENTIFIER.fullmatch(_UNMARKED.get(key, key)):
            one = identifier(match[1].removesuffix("_") or thing)
            yield one.replace("-", "") if match[1].startswith(("user", "project", "tenant")) else one
        if "format" in schema:
            yield identifier(thing)
            yield _BY_FORMAT.get(schema["format"])
        if "string" in types or not types:
            yield key
            yield from _STOCK
        yield None

    def _links(self, key: str, path: str, thing: str) -> list[dict[str, str]]:
        """Links of one thing, or to the next page of a listing."""
        if "/" not in path:
            joint = "&" if "?" in self.request else "?"
            return [{"rel": "next", "href": f"{HOST}{self.request}{joint}marker={self.marker}"}]
        at = self.address_of(thing)
        own = {"rel": "self", "href": f"{HOST}{self.prefix}{at}"}
        # Major 3 has no form of its address without a version, and so no bookmarks.
        return [own, {"rel": "bookmark", "href": f"{HOST}{at}"}] if self.prefix == "/v2.1" else [own]

    def address_of(self, thing: str) -> str:
        """Where ``thing`` is shown, without the version."""
        path = self.addresses.get(thing, f"/{thing}s/{{{thing}_id}}")
        return re.sub(r"\{([a-z_]+)\}", lambda match: field_value(match[1]), path)


def field_value(name: str) -> str:
    """An example for the field ``name`` of a path: 'server_id' is a server's uuid."""
    thing, _, key = name.rpartition("_")
    for known in (f"{thing}/{key}", name):
        if values.VALUES.get(known):
            return str(values.VALUES[known][0])
    return identifier(thing) if key in ("id", "uuid") else name


def _types(schema: Schema) -> list[str]:
    types = schema.get("type", [])
    return [types] if isinstance(types, str) else list(types)


def _last(path: str) -> str:
    return path.rpartition("/")[2].removesuffix("[]")
