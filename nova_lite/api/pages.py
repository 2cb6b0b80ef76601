"""Pages of a listing: how many items a request gets, and the link to the next page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nova_lite.api.wsgi import Request


def page_size(params: Mapping[str, Any], max_limit: int) -> int:
    """The number of items on one page: ``limit`` as asked for, never more than ``max_limit``."""
    return min(params.get("limit", max_limit), max_limit)


def next_links(
    req: Request, name: str, path: str, markers: Sequence[object], params: Mapping[str, Any], max_limit: int
) -> dict[str, Any]:
    """``{"<name>_links": [link]}`` when the page is full, so that there may be another one; {} when it is not.

    :param path: the listing's path, without version and project.
    :param markers: what names each item on this page as a ``marker``.
    """
    if not markers or len(markers) < page_size(params, max_limit):
        return {}
    return {f"{name}_links": [{"rel": "next", "href": req.next_link(path, str(markers[-1]))}]}
