"""The formats as lines of text, one per property, so that what a version changed can be read and reviewed.

A line's text says what a client can see: type, bounds, whether required, the rule that guards it. Two schemas with
the same lines are the same contract.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from nova_lite.schemas import Entry, History, OperationSchemas, Resource, Schema

Lines = dict[str, str]  # path of a property -> what it is

_HEADER = """\
# What every version of every operation takes and gives: + gained, - lost, ~ changed.
# Written by `nova-lite schema golden --write`; a change of a released version shows up here in review.
"""
_COMBINERS = ("oneOf", "anyOf", "allOf")


def lines(schema: Schema | None) -> Lines:
    """Every property of a schema: {'server/name': 'string name 1..255, required'}; nothing for no document."""
    return dict(_walk(schema, "")) if schema is not None else {}


def changes(old: Lines, new: Lines) -> Iterator[tuple[str, str, str]]:
    """(sign, path, text) of each difference, in the order of the properties; '~' shows old -> new."""
    for path, text in new.items():
        if path not in old:
            yield "+", path, text
        elif old[path] != text:
            yield "~", path, f"{old[path]} -> {text}"
    for path, text in old.items():
        if path not in new:
            yield "-", path, text


def history_lines(history: History) -> Iterator[str]:
    """One history as text: each version with what it changed against the one before."""
    before: Entry | None = None
    for entry in history:
        new_major = before is None or before.base_version.major != entry.base_version.major
        yield f"  {entry.base_version}" + ("" if entry.schema is not None else "  no document")
        old = {} if new_major or before is None else lines(before.schema)
        for sign, path, text in changes(old, lines(entry.schema)):
            yield f"    {sign} {path}: {text}"
        before = entry


def operation_lines(operation: OperationSchemas) -> Iterator[str]:
    for history in operation.histories():
        yield f"{history}"
        yield from history_lines(history)
        yield ""


def golden(resources: Iterable[Resource]) -> str:
    """The whole contract as one text."""
    body = [line for resource in resources for operation in resource for line in operation_lines(operation)]
    return _HEADER + "\n" + "\n".join(body)


def _walk(schema: Any, path: str, required: bool = True) -> Iterator[tuple[str, str]]:
    yield path or "document", describe(schema) + (", required" if required and path else "")
    if not isinstance(schema, Mapping):
        return
    for key, inner in schema.get("properties", {}).items():
        yield from _walk(inner, f"{path}/{key}".lstrip("/"), key in schema.get("required", ()))
    for pattern, inner in schema.get("patternProperties", {}).items():
        yield from _walk(inner, f"{path}/{{{pattern}}}".lstrip("/"), required=False)
    items = schema.get("items")
    if isinstance(items, Mapping) and ("properties" in items or any(word in items for word in _COMBINERS)):
        yield from _walk(items, f"{path}[]", required=False)
    for word in _COMBINERS:
        for number, branch in enumerate(schema.get(word, ()), 1):
            if isinstance(branch, Mapping) and ("properties" in branch or "items" in branch):
                yield from _walk(branch, f"{path}({word} {number})", required=False)


def describe(schema: Any) -> str:
    """One schema in a few words, without its properties: 'string|null name 1..255'."""
    if schema is True or schema == {}:
        return "anything"
    if schema is False:
        return "nothing"
    types = schema.get("type", ())
    words = ["|".join([types] if isinstance(types, str) else types)] if types else []
    for low, high in (("minLength", "maxLength"), ("minimum", "maximum"), ("minItems", "maxItems")):
        if low in schema or high in schema:
            words.append(f"{schema.get(low, '')}..{schema.get(high, '')}")
    for word in _COMBINERS:
        if word in schema:
            words.append(f"{word}({', '.join(describe(branch) for branch in schema[word])})")
    items = schema.get("items")
    if isinstance(items, Mapping):
        words.append(f"of {describe(items)}")
    if "object" in types and isinstance(schema.get("additionalProperties"), Mapping):
        words.append(f"of {describe(schema['additionalProperties'])}")
    elif "object" in types and "properties" in schema and schema.get("additionalProperties", True) is True:
        words.append("open")
    for key, value in schema.items():
        if key == "enum":
            words.append("(" + ", ".join(map(repr, value)) + ")")
        elif key in ("pattern", "const", "default"):
            words.append(f"{key} {value!r}")
        elif key == "format":
            words.append(value)
        elif key in ("ext:policy", "ext:ignored", "uniqueItems", "exclusiveMinimum", "exclusiveMaximum"):
            words.append(key.removeprefix("ext:") + ("" if value is True else f" {value}"))
    return " ".join(words) or "anything"
