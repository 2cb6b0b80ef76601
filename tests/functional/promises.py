"""Every answer in process is held to what the operation table declares for it: status, document, error form, request.

A WSGI application around another: whoever asks through it, asks for proof as well. What is not as declared is an
AssertionError in the test that asked.
"""

from __future__ import annotations

import functools
import io
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import jsonschema_rs
import orjson

from nova_lite.api import errors, versions
from nova_lite.api.operations import Operation, Table
from nova_lite.api.service import Service
from nova_lite.api.validator import Validator
from nova_lite.api.versions import Version

WSGI = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
#: The pipeline's own answers, before an operation is found or in its place; any operation may meet them.
FROM_THE_PIPELINE = frozenset({400, 401, 403, 404, 405, 406, 410, 413, 415, 503})


class Promises:
    """``app`` with a witness. Streams, and answers of paths that are no operations', pass unread."""

    def __init__(self, app: WSGI, table: Table, service: Service) -> None:
        self._app, self._table, self._service = app, table, service

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        sent = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = io.BytesIO(sent)
        asked = dict(environ)  # the pipeline rewrites the path of a legacy request
        started: list[tuple[int, dict[str, str]]] = []

        def start(status: str, headers: Sequence[tuple[str, str]], *rest: Any) -> Any:
            started.append((int(status[:3]), {name.lower(): value for name, value in headers}))
            return start_response(status, headers, *rest)

        parts = self._app(environ, start)
        status, headers = started[0]
        if headers.get("content-type", "").startswith(("text/event-stream", "application/octet-stream")):
            return parts
        body = b"".join(parts)
        self._check(asked, sent, status, body)
        return [body]

    def _check(self, environ: dict[str, Any], sent: bytes, status: int, body: bytes) -> None:
        said = f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']} → {status} {body[:400]!r}"
        assert status != 500, said
        path = environ["PATH_INFO"]
        if self._service.public.fullmatch(path):
            return
        if status >= 400:
            self._check_error(environ, status, body, said)
        found = self._operation(environ, sent)
        if found is None:
            assert status >= 400, said
            return
        operation, version = found
        variant = operation.at(version)
        assert variant is not None
        said = f"{operation.name} at {version}: {said}"
        if status >= 400:
            assert status in variant.errors | FROM_THE_PIPELINE, said
            return
        assert status in variant.other_statuses | {variant.status}, said
        if environ["REQUEST_METHOD"] == "HEAD":
            assert not body, said
            return
        self._check_document("output", operation, version, _json(body), said)
        if sent and operation.method in ("POST", "PUT", "PATCH") and variant.formats.has_input and self._strict(path):
            self._check_document("input", operation, version, _json(sent), said)

    def _strict(self, path: str) -> bool:
        return not self._service.relaxed and not (self._service.legacy and path.startswith(self._service.legacy[0]))

    def _check_document(self, part: str, operation: Operation, version: Version, document: Any, said: str) -> None:
        histories = operation.prepared.schemas
        history = getattr(histories, part) if histories else None
        entry = history.at(version) if history else None
        if entry is None or entry.schema is None:
            assert part == "input" or document is None, f"a document where none is declared: {said}"
            return
        if part == "input" and document is None:
            return
        if part == "output":
            wrong = [(error.instance_path, error.message) for error in _strict(entry.schema).iter_errors(document)]
            assert not wrong, f"{wrong}: {said}"
        else:
            faults = _validator(entry.schema).faults(document)
            assert not faults, f"{[(fault.where, fault.message) for fault in faults]}: {said}"

    def _check_error(self, environ: dict[str, Any], status: int, body: bytes, said: str) -> None:
        if environ["REQUEST_METHOD"] == "HEAD" or self._service.named_error_body is not None:
            return
        document = _json(body)
        if self._service.error_body is not errors.body:
            assert isinstance(document, dict), said
        elif self._service.major_of(environ["PATH_INFO"]) == 2:
            assert set(document) == {errors.FAULT_NAMES.get(status, "computeFault")}, said
            (fault,) = document.values()
            assert fault["code"] == status, said
            assert fault["message"], said
        else:
            (fault,) = document["errors"]
            assert fault["status"] == status, said
            assert fault["detail"], said

    def _operation(self, environ: dict[str, Any], sent: bytes) -> tuple[Operation, Version] | None:
        path, method = environ["PATH_INFO"], environ["REQUEST_METHOD"]
        version = self._service.version
        legacy = self._service.legacy
        if legacy and path.startswith(legacy[0]):
            path = legacy[1] + path.removeprefix(legacy[0])
            version = versions.default(2)
        major = self._service.major_of(path)
        if version is None:
            try:
                version = versions.from_headers(environ, major)
            except (versions.InvalidVersion, versions.VersionNotSupported):
                return None
        path = path.removeprefix(self._service.prefixes[major])
        for alias, (meant, last) in self._service.aliases.items() if major == 2 else ():
            if version <= last and path.startswith(alias):
                path = path.replace(alias, meant, 1)
        if self._service.projects_in_paths:
            project = re.match(r"/[^/]+(?=/)", path)
            tries = [path, path[project.end() :]] if project else [path]
        else:
            tries = [path]
        for one in tries:
            for route, pattern in _patterns(tuple(sorted(self._table.routes[major]))):
                if pattern.fullmatch(one):
                    return self._at(route, major, method, version, sent)
        return None

    def _at(
        self, route: str, major: int, method: str, version: Version, sent: bytes
    ) -> tuple[Operation, Version] | None:
        there = self._table.routes[major][route]
        as_get = method == "HEAD" and self._service.heads and method not in there
        candidates = there.get("GET" if as_get else method, [])
        actions = self._table.actions.get(major, {}).get(route, {})
        if method == "POST" and actions:
            body = _json(sent)
            name = next(iter(body)) if isinstance(body, dict) and len(body) == 1 else ""
            candidates = actions.get(name, [])
        return next(((one, version) for one in candidates if one.at(version) is not None), None)


@functools.cache
def _patterns(routes: tuple[str, ...]) -> list[tuple[str, re.Pattern[str]]]:
    """Routes without a field first, as the router prefers them."""
    ordered = sorted(routes, key=lambda route: [part.startswith("{") for part in route.split("/")])
    return [(route, re.compile(re.sub(r"\\{[a-z_]+\\}", "[^/]+", re.escape(route)))) for route in ordered]


#: By part of an operation and identity of its schema, with the schema that has it.
_compiled: dict[tuple[str, int], tuple[dict[str, Any], Any]] = {}


def _validator(schema: dict[str, Any]) -> Validator:
    """For requests: formats as this project takes them."""
    return _compiled.setdefault(("input", id(schema)), (schema, Validator(schema)))[1]


def _strict(schema: dict[str, Any]) -> jsonschema_rs.Draft202012Validator:
    """For answers: formats as the standards have them, so that who trusts an OpenAPI document is not deceived."""
    if ("output", id(schema)) not in _compiled:
        _compiled["output", id(schema)] = schema, jsonschema_rs.Draft202012Validator(schema, validate_formats=True)
    return _compiled["output", id(schema)][1]


def _json(text: bytes) -> Any:
    if not text:
        return None
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
