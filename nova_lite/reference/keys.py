"""A schema as a list of keys, each with its type and limits in words; and several versions of it as one table."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from nova_lite.api.formats import FORMATS
from nova_lite.api.versions import Version
from nova_lite.reference.facts import Step
from nova_lite.schemas import parameter_types

Schema = Mapping[str, Any]

_PLURALS = {"any value": "any values", "boolean": "booleans", "integer": "integers", "list": "lists"}
_STANDARD_FORMATS = {"ipv4": "an IPv4 address", "ipv6": "an IPv6 address"}
# Documents that are the same everywhere: named here, explained once on the first page.
_SHARED = ((parameter_types.links, "list of links"), (parameter_types.link, "link"))
_LENIENT = ("integer", "number", "boolean")
_MOST_SHOWN = 60  # of the values of an enumeration, before the rest is left to the schema


@dataclass(frozen=True)
class Key:
    """One key of a document. ``path`` is written as in ``ext:mapping``: 'server/networks[]/uuid'."""

    path: str
    type: str
    required: bool
    notes: tuple[str, ...] = ()
    policy: str | None = None
    lenient: bool = False  # without the rule the key is ignored, not refused
    values: tuple[str, ...] = ()  # all that an enumeration allows


class Row(NamedTuple):
    """A key and the versions in which it is so; ``until`` is None while it still is."""

    key: Key
    since: Version
    until: Version | None


class Change(NamedTuple):
    """The paths that one version gained or lost, and those it altered with what became of them."""

    gained: list[str]
    lost: list[str]
    altered: dict[str, str]


def keys(schema: Schema | None) -> list[Key]:
    """Every key of a body, in the order of the schema."""
    return list(_below(schema, "")) if schema is not None else []


def query_keys(schema: Schema | None) -> list[Key]:
    """Every parameter of a query, whose documents are {name: [all values given]}."""
    found = []
    for name, given in (schema or {}).get("properties", {}).items():
        value = given.get("items", {})
        often = "" if given.get("ext:take") == "last" or given.get("ext:ignored") else "may be repeated"
        if given.get("maxItems") == 1:
            often = "at most once"
        notes = [note for note in (*_notes(value), _ignored(given), often) if note]
        shown = dict(value) | ({"type": "string"} if "type" not in value and not _branches(value) else {})
        found.append(Key(name, _query_type(shown), False, tuple(notes), *_guard(given), _values(value)))
    return found


def merge(steps: list[Step], read: Any = keys) -> list[Row]:
    """The keys of all versions in one table: a row for each run of versions in which a key is the same.

    Rows of one key stand together; a key that came later stands behind the one it follows in its document.
    """
    order: list[str] = []
    runs: dict[str, list[Row]] = {}
    for step in steps:
        previous = ""
        for key in read(step.value):
            if key.path not in runs:
                order.insert(order.index(previous) + 1 if previous else 0, key.path)
                runs[key.path] = []
            previous = key.path
            run = runs[key.path]
            if run and run[-1].key == key and run[-1].until == _before(steps, step):
                run[-1] = run[-1]._replace(until=step.until)
            else:
                run.append(Row(key, step.since, step.until))
    newest = steps[-1].until
    return [row._replace(until=None) if row.until == newest else row for path in order for row in runs[path]]


def changes(old: Schema | None, new: Schema | None, read: Any = keys) -> Change:
    """What ``new`` changed. A key inside a gained or lost one is not listed on its own."""
    before, after = ({key.path: key for key in read(schema)} for schema in (old, new))
    gained = _outermost([path for path in after if path not in before])
    lost = _outermost([path for path in before if path not in after])
    altered = {path: _alteration(before[path], after[path]) for path in after if path in before}
    return Change(gained, lost, {path: words for path, words in altered.items() if words})


def _alteration(old: Key, new: Key) -> str:
    """What became of a key, '' if nothing did."""
    words = []
    if old.type != new.type:
        words.append(f"{new.type}, no longer {old.type}")
    if old.required != new.required:
        words.append("now mandatory" if new.required else "now optional")
    if old.policy != new.policy:
        words.append(f"asks {_code(new.policy)}" if new.policy else f"no longer asks {_code(old.policy)}")
    if old.values and new.values and old.values != new.values:
        more = [_code(value) for value in new.values if value not in old.values]
        fewer = [_code(value) for value in old.values if value not in new.values]
        words += [f"takes {', '.join(more)}"] if more else []
        words += [f"no longer takes {', '.join(fewer)}"] if fewer else []
    elif old.notes != new.notes:
        added = [note for note in new.notes if note not in old.notes]
        words.append("; ".join(added) if added else "wider")
    return ", ".join(words)


def _before(steps: list[Step], step: Step) -> Version | None:
    position = steps.index(step)
    return steps[position - 1].until if position else None


def _outermost(paths: list[str]) -> list[str]:
    return [path for path in paths if not any(path.startswith((other + "/", other + "[]")) for other in paths)]


# ---- from schema to words -------------------------------------------------------------------------------


def _below(schema: Schema, path: str) -> Iterator[Key]:
    """The keys of an object, or of the objects in a list, or of any branch."""
    required = schema.get("required", ())
    for name, value in schema.get("properties", {}).items():
        yield from _key(f"{path}/{name}" if path else name, value, name in required)
    for value in schema.get("patternProperties", {}).values():
        yield from _key(f"{path}/{{key}}" if path else "{key}", value, False)
    free = schema.get("additionalProperties")
    if isinstance(free, Mapping) and free:
        yield from _key(f"{path}/{{key}}" if path else "{key}", free, False)
    if isinstance(schema.get("items"), Mapping):
        yield from _below(schema["items"], f"{path}[]")
    seen: set[str] = set()
    for branch in _branches(schema):
        for key in _below(branch, path):
            if key.path not in seen:
                seen.add(key.path)
                yield key


def _key(path: str, schema: Any, required: bool) -> Iterator[Key]:
    if schema is False:
        return
    schema = schema if isinstance(schema, Mapping) else {}
    notes = [note for note in (*_notes(schema), _ignored(schema)) if note]
    yield Key(path, type_in_words(schema), required, tuple(notes), *_guard(schema), _values(schema))
    if not _shared(schema):
        yield from _below(schema, path)


def type_in_words(schema: Schema) -> str:
    """'list of strings or null', 'integer (also as a string)'."""
    if "const" in schema:
        return _code(schema["const"])
    if shared := _shared(schema):
        return shared
    if branches := _branches(schema):
        return _or(dict.fromkeys(_branch_in_words(branch) for branch in branches))
    types = schema.get("type", [])
    types = [types] if isinstance(types, str) else list(types)
    converted = schema.get("ext:type")
    if converted in _LENIENT and "string" in types:
        others = [name for name in types if name not in ("string", "integer", "number", "boolean")]
        also = "" if types == ["string"] else " (also as a string)"
        return _or([converted + also, *others])
    words = []
    for name in types:
        if name == "array" and isinstance(items := schema.get("items"), Mapping) and items:
            words.append(f"list of {_plural(type_in_words(items))}")
        elif name == "array":
            words.append("list")
        else:
            words.append(name)
    return _or(words) if words else "any value"


def _shared(schema: Schema) -> str:
    plain = {name: value for name, value in schema.items() if not name.startswith("ext:")}
    return next((words for shared, words in _SHARED if plain == shared), "")


def _branch_in_words(schema: Schema) -> str:
    if "enum" in schema:
        return _or([_code(value) for value in schema["enum"][:_MOST_SHOWN]])
    return type_in_words(schema)


def _query_type(schema: Schema) -> str:
    """In a query everything arrives as text; what it stands for is what helps."""
    return str(schema["ext:type"]) if schema.get("ext:type") in _LENIENT else type_in_words(schema)


def _notes(schema: Schema) -> Iterator[str]:
    if text := schema.get("description"):
        yield str(text)
    if "enum" in schema and schema.get("ext:type") != "boolean":
        values = [value for value in schema["enum"] if value is not None]
        more = f" and {len(values) - _MOST_SHOWN} more" if len(values) > _MOST_SHOWN else ""
        yield ("one of " if len(values) > 1 else "") + ", ".join(_code(v) for v in values[:_MOST_SHOWN]) + more
    if known := schema.get("format"):
        ours = FORMATS.get(known)
        yield ours[1].replace("'", "") if ours else _STANDARD_FORMATS.get(known, f"format {known}")
    if schema.get("ext:type") not in _LENIENT:
        yield _range(schema.get("minLength"), schema.get("maxLength"), "character")
    yield _range(schema.get("minItems"), schema.get("maxItems"), "item")
    yield _range(schema.get("minProperties"), schema.get("maxProperties"), "key")
    yield _limits(schema.get("minimum"), schema.get("maximum"))
    if "exclusiveMinimum" in schema:
        yield f"above {schema['exclusiveMinimum']}"
    if schema.get("uniqueItems"):
        yield "no item twice"
    if "pattern" in schema and schema.get("ext:type") not in _LENIENT:
        yield f"matches {_code_text(schema['pattern'])}"
    if "patternProperties" in schema:
        yield "keys match " + _or([_code_text(pattern) for pattern in schema["patternProperties"]])
    if "default" in schema:
        yield f"default {_code(schema['default'])}"
    if schema.get("ext:secret"):
        yield "never repeated in errors"
    items = schema.get("items")
    each = _notes(items) if isinstance(items, Mapping) and "properties" not in items else iter(())
    if found := "; ".join(note for note in each if note):
        yield f"each {found}"


def _values(schema: Schema) -> tuple[str, ...]:
    return tuple(str(value) for value in schema.get("enum", ()) if value is not None)


def _guard(schema: Schema) -> tuple[str | None, bool]:
    return schema.get("ext:policy"), schema.get("ext:refusal") == "ignore"


def _ignored(schema: Schema) -> str:
    return "accepted, but never read" if schema.get("ext:ignored") else ""


def _branches(schema: Schema) -> list[Schema]:
    return [branch for word in ("oneOf", "anyOf", "allOf") for branch in schema.get(word, ())]


def _limits(low: float | None, high: float | None) -> str:
    if low is None:
        return "" if high is None else f"at most {high}"
    return f"at least {low}" if high is None else f"{low} to {high}"


def _range(low: int | None, high: int | None, unit: str) -> str:
    if not low and high is None:
        return ""
    if high is None:
        return f"at least {low} {unit}{'s' if low != 1 else ''}"
    plural = f"{unit}{'s' if high != 1 else ''}"
    if low == high:
        return f"exactly {high} {plural}"
    return f"{low} to {high} {plural}" if low else f"at most {high} {plural}" if high else f"no {unit}s"


def _plural(words: str) -> str:
    first, separator, rest = words.partition(" ")
    if words in _PLURALS:
        return _PLURALS[words]
    if first in ("object", "string", "number", "list", "integer", "boolean"):
        return f"{first}s{separator}{rest}"
    return words


def _or(words: Any) -> str:
    return " or ".join(words)


def _code(value: Any) -> str:
    return _code_text(json.dumps(value) if not isinstance(value, str) or not value else value)


def _code_text(text: str) -> str:
    return f"``{text}``" if "`" in text else f"`{text}`"
