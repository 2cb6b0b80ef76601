"""The console's page for people in browsers: its files, their headers, and where it is."""

from __future__ import annotations

import functools
import gzip
import re
from dataclasses import dataclass, field
from http import HTTPStatus
from importlib import resources
from urllib.parse import urlsplit

#: What the proxy answers besides WebSockets, whatever path a TLS proxy before it has put in front.
PATH = re.compile(r"(?:^|/)console(?:/(?P<name>[^/]*))?$")

_TYPES = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "mjs": "text/javascript; charset=utf-8",
}
_FILES = ("index.html", "console.css", "console.js", "xterm.css", "xterm.mjs", "addon-fit.mjs")

# Scripts, connections and everything else from here only; style elements too, as xterm.js makes those for its colours.
_POLICY = (
    "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self' 'unsafe-inline'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",  # the address has the token
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


@dataclass(frozen=True)
class Page:
    """An HTTP answer."""

    status: HTTPStatus
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)


def url(websocket_url: str, token: str) -> str:
    """The page's address for the serial proxy that is at ``websocket_url``."""
    parts = urlsplit(websocket_url)
    scheme = {"ws": "http", "wss": "https"}.get(parts.scheme, parts.scheme)
    path = parts.path if parts.path.endswith("/") else parts.path.rpartition("/")[0] + "/"
    return f"{scheme}://{parts.netloc}{path}console?token={token}"


def text(status: HTTPStatus, message: str) -> Page:
    return answer(message.encode() + b"\n", "text/plain; charset=utf-8", status)


def answer(body: bytes, content_type: str, status: HTTPStatus = HTTPStatus.OK) -> Page:
    """Something of one server: kept by nobody."""
    return Page(status, body, HEADERS | {"Content-Type": content_type, "Cache-Control": "no-store"})


def file(name: str | None, packed: bool) -> Page | None:
    """One of the page's files, the page itself when ``name`` is None; None when there is none of that name.

    :param packed: the browser takes gzip.
    """
    name = name or "index.html"
    if name not in _FILES:
        return None
    plain, small = _content(name)
    headers = HEADERS | {
        "Content-Type": _TYPES[name.rpartition(".")[2]],
        "Cache-Control": "no-cache",
        "Vary": "Accept-Encoding",
    }
    if packed:
        headers["Content-Encoding"] = "gzip"
    return Page(HTTPStatus.OK, small if packed else plain, headers)


@functools.cache
def _content(name: str) -> tuple[bytes, bytes]:
    """A file, as it is and packed."""
    plain = (resources.files("nova_lite.console") / "page" / name).read_bytes()
    return plain, gzip.compress(plain)
