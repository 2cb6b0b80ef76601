"""What a refused request could have done: which version knows the key, what it is called now, what was meant.

Every version's schema is data here, so the answer is looked up, never written by hand.
"""

from __future__ import annotations

import difflib
import itertools
from collections.abc import Iterator, Sequence
from typing import Any

from nova_lite.api import versions
from nova_lite.api.mapping_tree import read
from nova_lite.api.versions import Range, Version
from nova_lite.schemas import History

Path = Sequence[str | int]


def for_unexpected(history: History, version: Version, path: Path, key: str) -> str | None:
    """A sentence about a key that ``version`` does not know at ``path`` of the document; None if there is nothing.

    "'tags' needs microversion 2.52 or later (this request: 2.1)"
    """
    ranges = _accepting(history, version.major, path, key)
    if ranges:
        return f"{_versions_sentence(ranges, version, key)} (this request: {version})"
    return _new_name(history, version, key) or _near_name(history, version, path, key)


def for_missing(history: History, version: Version, path: Path, key: str) -> str | None:
    """Since when a key has been required, if it was not always."""
    entries = [entry for entry in history if entry.base_version.major == version.major]
    since: Version | None = None
    for entry in entries:
        if entry.base_version > version:
            break
        required = any(key in node.get("required", ()) for node in _nodes(entry.schema, path))
        since = (since or entry.base_version) if required else None
    if since is None or since == entries[0].base_version:
        return None
    return f"it is required since microversion {since} (this request: {version})"


def _accepting(history: History, major: int, path: Path, key: str) -> list[Range]:
    """The ranges of versions whose schema knows the key at that place."""
    entries = [entry for entry in history if entry.base_version.major == major]
    ranges: list[Range] = []
    for entry, later in itertools.zip_longest(entries, entries[1:]):
        if not any(key in node.get("properties", {}) for node in _nodes(entry.schema, path)):
            continue
        last = versions.previous(later.base_version) if later else versions.latest(major)
        assert last is not None
        if ranges and versions.following(ranges[-1].max) == entry.base_version:
            ranges[-1] = Range(ranges[-1].base, last)
        else:
            ranges.append(Range(entry.base_version, last))
    return ranges


def _versions_sentence(ranges: list[Range], version: Version, key: str) -> str:
    if len(ranges) > 1:
        return f"'{key}' is known to microversions {' and '.join(_span(r) for r in ranges)}"
    only = ranges[0]
    if only.max < version:
        gone = versions.following(only.max)
        return f"'{key}' was removed in microversion {gone}; the last that accepts it is {only.max}"
    if only.max == versions.latest(version.major):
        return f"'{key}' needs microversion {only.base} or later"
    return f"'{key}' needs a microversion from {only.base} to {only.max}"


def _span(span: Range) -> str:
    if span.base == span.max:
        return str(span.base)
    if span.max == versions.latest(span.base.major):
        return f"{span.base} and later"
    return f"{span.base} to {span.max}"


def _new_name(history: History, version: Version, key: str) -> str | None:
    """What a key of another major is called in this one: both have the same flat name."""
    current = history.at(version)
    if current is None or current.schema is None:
        return None
    places = {place.flat: place for place in read(current.schema, str(history)).everything()}
    for entry in reversed(history.entries):
        if entry.base_version.major == version.major or entry.schema is None:
            continue
        for place in read(entry.schema, str(history)).everything():
            here = places.get(place.flat)
            if place.key == key and here is not None and here.key != key:
                return f"version {version} calls '{key}' '{here.key}' (at {here.path})"
    return None


def _near_name(history: History, version: Version, path: Path, key: str) -> str | None:
    current = history.at(version)
    known = {name for node in _nodes(current and current.schema, path) for name in node.get("properties", {})}
    near = difflib.get_close_matches(key[:100], known, n=1)
    return f"did you mean '{near[0]}'?" if near else None


def _nodes(schema: Any, path: Path) -> list[dict[str, Any]]:
    """The schemas that may apply at a place of the document: more than one where there are alternatives."""
    nodes = list(_alternatives(schema))
    for step in path:
        inner: list[dict[str, Any]] = []
        for node in nodes:
            under = node.get("items") if isinstance(step, int) else node.get("properties", {}).get(step)
            inner.extend(_alternatives(under))
        nodes = inner
    return nodes


def _alternatives(schema: Any) -> Iterator[dict[str, Any]]:
    if isinstance(schema, dict):
        yield schema
        for word in ("oneOf", "anyOf", "allOf"):
            for branch in schema.get(word, ()):
                yield from _alternatives(branch)
