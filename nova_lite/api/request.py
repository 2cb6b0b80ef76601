"""What a controller sees of one HTTP request: caller, version, links and soft policy checks; never a body or a
header."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlencode

import falcon
import orjson

from nova_lite import exceptions
from nova_lite.api import policy
from nova_lite.api.errors import HTTPFault
from nova_lite.api.versions import Version
from nova_lite.context import RequestContext

if TYPE_CHECKING:
    from nova_lite.api.operations import Table

# More than any client sends, and few enough that a hostile query costs nothing.
MAX_QUERY_FIELDS = 200
# PostgreSQL cannot store it and nobody needs it. The escape, not an escaped backslash with u0000 after it.
_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
JSON_TYPES = ("application/json", "application/vnd.openstack.compute+json")


class Request:
    """One request after authentication.

    ``context`` the caller, ``creds`` what rules see of it; ``version`` the negotiated version; ``legacy`` whether the
    client speaks /v2, which knows no versions; ``fields`` the values of the path's fields; ``table`` every operation of
    the API; ``query`` name → list of values; ``body`` the parsed JSON document or None; ``conf`` the options of group
    ``[api]``.
    """

    def __init__(
        self,
        http: falcon.Request,
        context: RequestContext,
        engine: policy.PolicyEngine,
        conf: Any,
    ) -> None:
        """:param conf: the options of group ``[api]``."""
        self.http = http
        self.conf = conf
        self.context = context
        self.version: Version = None  # type: ignore[assignment]  # set by the next step of the pipeline
        self.legacy = False
        self.fields: dict[str, str] = {}
        self.table: Table = None  # type: ignore[assignment]  # set when the route is known
        self.headers: dict[str, str] = {}
        self.status: int | None = None
        self.stream: tuple[Iterable[bytes], int] | None = None
        self._engine = engine
        self.creds = policy.credentials(context)
        context.is_admin = self.creds["is_admin"] = engine.is_admin(self.creds)
        self._target: Mapping[str, Any] | None = None
        self._project_in_url = ""
        self._query: dict[str, list[str]] | None = None
        self._body: Any = None
        self._body_read = False

    # -- what was sent ---------------------------------------------------------------------------------------

    @property
    def query(self) -> dict[str, list[str]]:
        """The query string, every value a list of strings.

        HTTPFault 400 when it is not UTF-8 or has too many fields.
        """
        if self._query is None:
            text = self.http.query_string
            if "%00" in text:
                raise HTTPFault(400, "The query string must not contain a NUL character.")
            try:
                self._query = (
                    parse_qs(text, keep_blank_values=True, errors="strict", max_num_fields=MAX_QUERY_FIELDS)
                    if text
                    else {}
                )
            except UnicodeDecodeError as error:
                raise HTTPFault(400, "The query string is not valid UTF-8.") from error
            except ValueError as error:
                raise HTTPFault(400, f"The query string has more than {MAX_QUERY_FIELDS} fields.") from error
        return self._query

    @property
    def body(self) -> Any:
        """The JSON document sent, None for an empty body.

        HTTPFault 413 (too large), 415 (not JSON by its Content-Type) or 400 (not JSON, not UTF-8, nested too deeply).
        """
        if not self._body_read:
            self._body = self._read_body()
            self._body_read = True
        return self._body

    def document(self, media_types: tuple[str, ...]) -> Any:
        """The JSON document sent as one of ``media_types``, of an operation whose body is no JSON object.

        HTTPFault as for ``body``; 415 also where no Content-Type is given.
        """
        media_type = self._media_type()
        if media_type not in media_types:
            raise HTTPFault(415, f"Unsupported Content-Type {media_type}: send {' or '.join(media_types)}.")
        return self._read_json()

    def upload(self, media_type: str) -> Any:
        """What is sent, as a file to read from, of any length. HTTPFault 415 when it is said to be something else."""
        given = self._media_type()
        if given != media_type:
            raise HTTPFault(415, f"Unsupported Content-Type {given}: send {media_type}.")
        return self.http.stream if self.http.content_length is None else self.http.bounded_stream

    def _media_type(self) -> str:
        return (self.http.content_type or "").partition(";")[0].strip().lower()

    def _read_body(self) -> Any:
        media_type = self._media_type()
        if not media_type or media_type == "text/plain" or media_type in JSON_TYPES:
            return self._read_json()
        if self._read_bytes():
            raise HTTPFault(415, f"Unsupported Content-Type {media_type}: send application/json.")
        return None

    def _read_bytes(self) -> bytes:
        limit = self.conf.max_request_body_size
        length = self.http.content_length
        # A chunked body has no length and is ended by the server; reading one byte past the limit tells it is too long.
        stream = self.http.stream if length is None else self.http.bounded_stream
        data = b"" if (length or 0) > limit else stream.read(limit + 1)
        if (length or 0) > limit or len(data) > limit:
            raise HTTPFault(413, f"The request body is larger than the {limit} bytes allowed.")
        return data

    def _read_json(self) -> Any:
        data = self._read_bytes()
        if not data:
            return None
        try:
            document = orjson.loads(data)
        except orjson.JSONDecodeError as error:
            raise HTTPFault(400, f"Malformed request body: {error}") from error
        if _NUL.search(data):
            raise HTTPFault(400, "The request body must not contain a NUL character.")
        return document

    # -- policy ----------------------------------------------------------------------------------------------

    def own_target(self) -> dict[str, Any]:
        """The target of requests that act on no particular object: the caller's own project."""
        return {"project_id": self.context.project_id, "user_id": self.context.user_id}

    def set_target(self, target: Mapping[str, Any]) -> None:
        """What policy is about, unless a check names another target."""
        self._target = target

    def allowed(self, rule: str, target: Mapping[str, Any] | None = None) -> bool:
        """Whether the caller passes ``rule``; on the loaded object's target unless another is given."""
        if target is None:
            target = self._target if self._target is not None else self.own_target()
        return self._engine.check(rule, target, self.creds)

    def authorize(self, rule: str, target: Mapping[str, Any] | None = None) -> None:
        """:raises exceptions.Forbidden: the caller does not pass ``rule``."""
        if not self.allowed(rule, target):
            raise exceptions.Forbidden(f"Policy doesn't allow {rule} to be performed.")

    # -- links and headers -----------------------------------------------------------------------------------

    def set_project_in_url(self, project_id: str) -> None:
        self._project_in_url = project_id

    @functools.cached_property
    def base_url(self) -> str:
        """Scheme, host and mount point, without a trailing slash."""
        return (self.conf.endpoint_url or self.http.prefix).rstrip("/")

    @functools.cached_property
    def _own_prefix(self) -> str:
        """What links of this request's major version begin with; the pages of a listing have thousands of them."""
        version = "v3" if self.version.major >= 3 else "v2" if self.legacy else "v2.1"
        return self._joined(self.base_url, version, self._project_in_url)

    @functools.cached_property
    def _bookmark_prefix(self) -> str:
        return self._joined(self.base_url, self._project_in_url)

    @staticmethod
    def _joined(*parts: str) -> str:
        return "".join(f"{part}/" for part in parts if part)

    def url(self, path: str) -> str:
        """An absolute link at this request's major version; with the project where the request's own URL had it."""
        return self._own_prefix + path.lstrip("/")

    def bookmark(self, path: str) -> str:
        """An absolute link without a version."""
        return self._bookmark_prefix + path.lstrip("/")

    def next_link(self, path: str, marker: str, limit: int | None = None) -> str:
        """The link to the page after ``marker``: this request's query with ``marker`` (and ``limit``) replaced."""
        query = {name: values for name, values in self.query.items() if name != "marker"}
        if limit is not None:
            query["limit"] = [str(limit)]
        query["marker"] = [marker]
        return f"{self.url(path)}?{urlencode(query, doseq=True)}"

    def answer_with(self, status: int) -> None:
        """Answer with a status that the method declared as ``or_else``, should the request succeed."""
        self.status = status

    def set_header(self, name: str, value: str) -> None:
        """Add a header to the answer, should the request succeed."""
        self.headers[name] = value

    def send(self, pieces: Iterable[bytes], length: int) -> None:
        """Answer with bytes as they come, ``length`` of them, instead of a document. ``pieces`` is closed at the end,
        if it can be."""
        self.stream = (pieces, length)
