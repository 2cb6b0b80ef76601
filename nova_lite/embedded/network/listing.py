"""Listings as Neutron answers them: filtered by any attribute, sorted, in pages, with the fields that are asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict
from urllib.parse import urlencode

from nova_lite.api import wsgi
from nova_lite.compute.network_errors import InvalidInput
from nova_lite.embedded.network.views import View

_OWN = ("fields", "limit", "marker", "page_reverse", "sort_key", "sort_dir")
_TAGS = ("tags", "tags-any", "not-tags", "not-tags-any")  # nothing has any here
_TRUE = ("true", "1", "yes", "on")


class Query(TypedDict, total=False):
    """The whole query string, each name with the list of its values."""

    query: dict[str, list[str]]


def answer(req: wsgi.Request, name: str, found: Sequence[View], params: Query, known: Sequence[str]) -> dict[str, Any]:
    """``{name: [...]}``, with links to other pages where a limit was asked for. InvalidInput names what is wrong.

    :param known: the attributes that can be filtered and sorted by.
    """
    query = params.get("query", {})
    unknown = sorted(query.keys() - {*known, *_OWN, *_TAGS})
    if unknown:
        raise InvalidInput(f"{unknown} is invalid attribute for filtering")
    views = [view for view in found if all(_passes(view, key, values) for key, values in query.items())]
    for key, descending in reversed(_order(query, known)):
        views.sort(key=lambda view, key=key: _sortable(view.get(key)), reverse=descending)  # type: ignore[misc]
    page, links = _page(req, name, views, query)
    return {name: [chosen(view, params) for view in page], f"{name}_links": links}


def chosen(view: View, params: Query) -> View:
    """The fields that the query asks for; all when it asks for none."""
    fields = [field for field in params.get("query", {}).get("fields", []) if field]
    return {key: value for key, value in view.items() if not fields or key in fields}


def _passes(view: View, key: str, values: list[str]) -> bool:
    if key in _OWN or key in ("not-tags", "not-tags-any"):
        return True
    if key in ("tags", "tags-any"):
        return False
    return any(_matches(view.get(key), value) for value in values)


def _matches(have: Any, wanted: str) -> bool:
    if isinstance(have, bool):
        return have == (wanted.lower() in _TRUE)
    if isinstance(have, list):
        return any(_matches(item, wanted) for item in have)
    if isinstance(have, dict):  # fixed_ips=ip_address=10.0.0.2
        name, _, value = wanted.partition("=")
        if name == "ip_address_substr":
            return value in str(have.get("ip_address"))
        return name in have and str(have[name]) == value
    return wanted == ("" if have is None else str(have))


def _order(query: Mapping[str, list[str]], known: Sequence[str]) -> list[tuple[str, bool]]:
    """Keys and whether they descend; ids make every order whole."""
    keys, directions = query.get("sort_key", []), query.get("sort_dir", [])
    if directions and len(directions) != len(keys):
        raise InvalidInput("The number of sort_keys and sort_dirs must be same")
    for key in keys:
        if key not in known:
            raise InvalidInput(f"{key[:80]} is invalid attribute for sort_keys")
    for direction in directions:
        if direction not in ("asc", "desc"):
            raise InvalidInput(f"sort_dir: {direction[:80]} is neither asc nor desc")
    pairs = [(key, direction == "desc") for key, direction in zip(keys, directions or ["asc"] * len(keys), strict=True)]
    return [*pairs, ("id", False)] if pairs else []


def _sortable(value: Any) -> tuple[bool, Any]:
    if isinstance(value, bool | int):
        return (value is not None, f"{int(value):020}")
    return (value is not None, str(value or ""))


def _page(
    req: wsgi.Request, name: str, views: list[View], query: Mapping[str, list[str]]
) -> tuple[list[View], list[dict[str, str]]]:
    reverse = query.get("page_reverse", [""])[-1].lower() in _TRUE
    text = query.get("limit", ["0"])[-1]
    if not (text.isascii() and text.isdigit()) and text != "-1":
        raise InvalidInput(f"Bad limit: {text[:80]}")
    limit = max(int(text[:18]), 0)
    marker = query.get("marker", [None])[-1]  # type: ignore[list-item]
    if marker:
        ids = [view["id"] for view in views]
        if marker not in ids:
            raise InvalidInput(f"marker: there is no {marker[:80]} in this listing")
        at = ids.index(marker)
        views = views[:at] if reverse else views[at + 1 :]
    if not limit:
        return views, []
    page = views[-limit:] if reverse else views[:limit]
    links = []
    if page and (marker and reverse or len(views) > len(page)) and not (reverse and len(views) <= len(page)):
        links.append(_link(req, name, query, "previous" if reverse else "next", page[0 if reverse else -1]["id"]))
    if page and reverse:
        links.append(_link(req, name, query, "next", page[-1]["id"]))
    elif page and marker:
        links.append(_link(req, name, query, "previous", page[0]["id"]))
    return page, links


def _link(req: wsgi.Request, name: str, query: Mapping[str, list[str]], rel: str, marker: str) -> dict[str, str]:
    again = {key: values for key, values in query.items() if key not in ("marker", "page_reverse")}
    again |= {"marker": [marker]} | ({"page_reverse": ["True"]} if rel == "previous" else {})
    return {"rel": rel, "href": f"{req.http.prefix}/v2.0/{name.replace('_', '-')}?{urlencode(again, doseq=True)}"}
