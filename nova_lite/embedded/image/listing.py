"""Which images a listing has, in what order, and where a page of it ends: Glance's filters and sort keys."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from nova_lite import exceptions, objects
from nova_lite.embedded.image.views import KEYS

DEFAULT_PAGE = 25  # Glance's limit_param_default
_SORTED_BY = ("name", "status", "container_format", "disk_format", "size", "id", "created_at", "updated_at")
_EXACT = ("owner", "checksum", "os_hash_value", "min_ram", "min_disk", "protected")
#: Several values may be given: ``in:one,two``.
_LISTS = ("id", "name", "status", "disk_format", "container_format")
_TIMES = ("created_at", "updated_at")
_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
    "eq": operator.eq,
    "neq": operator.ne,
}
_NOT_PROPERTIES = {
    *_EXACT, *_LISTS, *_TIMES,
    *("visibility", "member_status", "tag", "os_hidden", "size_min", "size_max", "limit", "marker"),
    *("sort", "sort_key", "sort_dir"),
}  # fmt: skip


def narrowed(
    found: list[objects.Image], params: Mapping[str, Any], query: Mapping[str, list[str]]
) -> list[objects.Image]:
    """Those that ``params`` asks for; other names of the ``query`` are properties.

    :raises Invalid: a comparison that there is not.
    """
    tests: list[Callable[[objects.Image], bool]] = []
    for name in _EXACT:
        if name in params:
            tests.append(lambda image, name=name: KEYS[name](image) == params[name])  # type: ignore[misc]
    for name in _LISTS:
        if name in params:
            wanted = _any_of(str(params[name]))
            tests.append(lambda image, name=name, wanted=wanted: KEYS[name](image) in wanted)  # type: ignore[misc]
    for name in _TIMES:
        if name in params:
            compare, moment = _moment(name, str(params[name]))
            tests.append(
                lambda image, name=name, compare=compare, moment=moment: compare(  # type: ignore[misc]
                    getattr(image, name).replace(microsecond=0), moment
                )
            )
    if "size_min" in params:
        tests.append(lambda image: (KEYS["size"](image) or 0) >= params["size_min"])
    if "size_max" in params:
        tests.append(lambda image: (KEYS["size"](image) or 0) <= params["size_max"])
    tags = {tag.strip() for tag in params.get("tag", ())}
    properties = {name: values[-1] for name, values in query.items() if name not in _NOT_PROPERTIES}
    tests.append(lambda image: tags <= set(image.tags) and properties.items() <= image.properties.items())
    return [image for image in found if all(test(image) for test in tests)]


def _any_of(text: str) -> list[str]:
    """``in:a,b`` with values in quotes where they have commas; else the one value."""
    if not text.startswith("in:"):
        return [text]
    values: list[str] = []
    value, quoted = "", False
    for letter in text[len("in:") :]:
        if letter == '"':
            quoted = not quoted
        elif letter == "," and not quoted:
            values, value = [*values, value], ""
        else:
            value += letter
    if quoted:
        raise exceptions.Invalid(f"Invalid filter value {text[:80]}. The quote is not closed.")
    return [*values, value]


def _moment(name: str, text: str) -> tuple[Callable[[Any, Any], bool], datetime]:
    word, colon, rest = text.partition(":")
    compare = _COMPARISONS.get(word) if colon else None
    if compare is None:
        compare, rest = operator.eq, text
    try:
        moment = datetime.fromisoformat(rest)
    except ValueError as error:
        raise exceptions.Invalid(f"Invalid {name} filter value {text[:80]}: it must be an ISO 8601 time.") from error
    return compare, moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def ordered(found: list[objects.Image], params: Mapping[str, Any]) -> list[objects.Image]:
    """The newest first, unless it is said otherwise. Invalid names what cannot be sorted by."""
    for key, descending in reversed(_order(params)):
        found = sorted(found, key=lambda image, key=key: _comparable(image, key), reverse=descending)  # type: ignore[misc]
    return found


def _comparable(image: objects.Image, key: str) -> tuple[Any, ...]:
    value = getattr(image, key) if key in _TIMES else KEYS[key](image)
    return (value is not None, value if value is not None else 0, image.created_at, image.id)


def _order(params: Mapping[str, Any]) -> list[tuple[str, bool]]:
    """Pairs of a key and whether it descends."""
    if "sort" in params:
        if "sort_key" in params or "sort_dir" in params:
            raise exceptions.Invalid("Old and new sorting syntax cannot be combined")
        parts = [part.partition(":") for part in params["sort"].split(",")]
        pairs = [(key.strip(), (direction or "desc").strip()) for key, _, direction in parts]
    else:
        keys, directions = params.get("sort_key", ["created_at"]), params.get("sort_dir", ["desc"])
        if len(directions) not in (1, len(keys)):
            raise exceptions.Invalid("sort_dir: Number of sort dirs does not match the number of sort keys")
        pairs = list(zip(keys, directions * len(keys) if len(directions) == 1 else directions, strict=True))
    for key, direction in pairs:
        if key not in _SORTED_BY:
            raise exceptions.Invalid(
                f"Invalid sort key: sort_key {key[:80]}. It must be one of the following: {', '.join(_SORTED_BY)}."
            )
        if direction not in ("asc", "desc"):
            raise exceptions.Invalid(f"Invalid sort direction: sort_dir {direction[:80]}")
    return [(key, direction == "desc") for key, direction in pairs]


def after(found: list[objects.Image], marker: str | None) -> list[objects.Image]:
    """What comes behind the image ``marker``. Invalid when it is not in the listing."""
    if marker is None:
        return found
    for number, image in enumerate(found):
        if image.id == marker:
            return found[number + 1 :]
    raise exceptions.Invalid(f"marker: there is no image {marker[:80]} in this listing")
