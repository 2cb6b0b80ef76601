"""Several WSGI applications behind one socket, told apart by the first part of the path."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

WSGI = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


#: Key of a request's environment where there is an embedded Identity: the root that it is below, "" for the request's.
EMBEDDED_IDENTITY = "nova_lite.embedded_identity"


class Mounts:
    """``main`` answers what lies below none of ``mounted`` (path without a slash at its end → application)."""

    def __init__(self, main: WSGI, mounted: Mapping[str, WSGI], root: str | None = None) -> None:
        """:param root: under which clients reach all of them; None: under what each request names."""
        self.main, self.mounted = main, dict(mounted)
        self._said = {EMBEDDED_IDENTITY: (root or "").rstrip("/")} if "/identity" in self.mounted else {}

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        environ.update(self._said)
        path = environ.get("PATH_INFO", "")
        first = path[: path.find("/", 1)] if "/" in path[1:] else path
        app = self.mounted.get(first)
        if app is None:
            return self.main(environ, start_response)
        inner = {
            **environ,
            "SCRIPT_NAME": environ.get("SCRIPT_NAME", "") + first,
            "PATH_INFO": path[len(first) :] or "/",
        }
        return app(inner, start_response)
