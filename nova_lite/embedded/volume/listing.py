"""Filters, order and pages of Cinder's listings."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode

from nova_lite import exceptions
from nova_lite.api import wsgi
from nova_lite.embedded.volume.views import base_url

View = dict[str, Any]
_SORTED_BY = ("id", "status", "size", "availability_zone", "created_at", "name", "bootable", "updated_at")
_CONTROLS = ("limit", "offset", "marker", "sort", "sort_key", "sort_dir", "all_tenants", "with_count", "metadata")


def narrowed(found: list[View], query: Mapping[str, list[str]], names: tuple[str, ...]) -> list[View]:
    """Those whose ``names`` have the values asked for, and all the metadata; other names count for nothing."""
    tests: list[Callable[[View], bool]] = []
    for name, values in query.items():
        if name in names and name not in _CONTROLS:
            tests.append(lambda view, name=name, values=values: _text(view.get(name)) == values[-1].lower())  # type: ignore[misc]
    if "metadata" in query:
        wanted = _metadata(query["metadata"][-1])
        tests.append(lambda view: wanted.items() <= view["metadata"].items())
    return [view for view in found if all(test(view) for test in tests)]


def _text(value: Any) -> str:
    return str(value if value is not None else "").lower()


def _metadata(text: str) -> dict[str, str]:
    """``{'name': 'value'}``, as clients write Python's dictionaries into queries."""
    pairs = {}
    for part in text.strip("{} ").split(",") if text.strip("{} ") else []:
        name, colon, value = part.partition(":")
        if not colon:
            raise exceptions.Invalid("metadata: it must look like {'name': 'value'}")
        pairs[name.strip(" u'\"")] = value.strip(" '\"")
    return pairs


def page(
    req: wsgi.Request, name: str, path: str, found: list[View], params: Mapping[str, Any], shown: Callable[[View], View]
) -> dict[str, Any]:
    """One page of a listing, in order, with the link to the next one.

    :raises Invalid: a key that cannot be sorted by, or a marker that is not in the listing.
    """
    for key, descending in reversed(_order(params)):
        found = sorted(found, key=functools.partial(_comparable, key), reverse=descending)
    count = len(found)
    if params.get("marker") is not None:
        ids = [view["id"] for view in found]
        if params["marker"] not in ids:
            raise exceptions.Invalid(f"marker [{params['marker'][:80]}] not found")
        found = found[ids.index(params["marker"]) + 1 :]
    found = found[params.get("offset", 0) :]
    size = min(params.get("limit", req.conf.max_limit), req.conf.max_limit)
    answer: dict[str, Any] = {name: [shown(view) for view in found[:size]]}
    if size and len(found) > size:
        query = {key: values for key, values in req.query.items() if key not in ("marker", "offset")}
        query["marker"] = [found[size - 1]["id"]]
        href = f"{base_url(req)}/v3/{path}?{urlencode(query, doseq=True)}"
        answer[f"{name}_links"] = [{"rel": "next", "href": href}]
    if params.get("with_count"):
        answer["count"] = count
    return answer


def _comparable(key: str, view: View) -> tuple[bool, Any]:
    """What is not said comes first."""
    return (view.get(key) is not None, view.get(key) or 0)


def _order(params: Mapping[str, Any]) -> list[tuple[str, bool]]:
    if "sort" in params:
        parts = [part.partition(":") for part in params["sort"].split(",")]
        pairs = [(key.strip(), direction.strip() or "desc") for key, _, direction in parts]
    else:
        pairs = [(params.get("sort_key", "created_at"), params.get("sort_dir", "desc"))]
    for key, direction in pairs:
        if key not in _SORTED_BY:
            raise exceptions.Invalid(f"Sort key '{key[:80]}' is none of {', '.join(_SORTED_BY)}.")
        if direction not in ("asc", "desc"):
            raise exceptions.Invalid(f"Sort direction '{direction[:80]}' is neither asc nor desc.")
    return [(key, direction == "desc") for key, direction in pairs]
