"""The fixed order in which every request is handled; stated once, here, and tested once.

request id → authenticate (401) → version (400, 406) → route (404, 405) → load the object (404) → policy (403) →
validate body and query (400) → flatten → controller → unflatten → status.

A stranger's object is a 404 already when it is loaded, so that policy never tells of its existence; where objects
belong to no project, policy comes before the load for the same reason. An exception that the operation did not declare
is a bug: 500 with the request id, logged with its trace, nothing of it in the answer.
"""

from __future__ import annotations

import logging
import re
import threading
import uuid
from collections.abc import Callable, Mapping
from typing import Any

import falcon
import orjson

from nova_lite import exceptions
from nova_lite.api import auth, errors, policy, removed, validation, versions
from nova_lite.api.errors import HTTPFault
from nova_lite.api.operations import Operation, Table, Variant
from nova_lite.api.request import Request
from nova_lite.api.service import COMPUTE, Service
from nova_lite.context import RequestContext
from nova_lite.embedded.mount import EMBEDDED_IDENTITY
from nova_lite.events.handover import HandedOver

LOG = logging.getLogger(__name__)

Loader = Callable[[Request, str], Any]
NOT_FOUND = "The resource could not be found."
_REQUEST_ID = re.compile(r"req-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_PROJECT_ID = re.compile(r"[0-9a-f-]+")
_DUMP = orjson.OPT_NON_STR_KEYS | orjson.OPT_UTC_Z


class Pipeline:
    """A falcon middleware for the steps before routing, and ``handle`` for those after it."""

    def __init__(
        self,
        table: Table,
        engine: policy.PolicyEngine,
        strategy: auth.Strategy,
        loaders: Mapping[type, Loader],
        conf: Any,
        read_in_turn: bool = False,
        service: Service = COMPUTE,
    ) -> None:
        """:param conf: the options of group ``[api]``.
        :param read_in_turn: let the GET requests of this process take turns. SQLite's module gives up the
            interpreter's lock at every step of a statement that takes microseconds; with four threads at it, most of
            the time goes into handing the lock around (245 µs a request in turn, 570 µs without, measured).
        """
        self._turn = threading.Lock() if read_in_turn else None
        self.table = table
        self._engine = engine
        self._strategy = strategy
        self._loaders = dict(loaders)
        self._conf = conf
        self._service = service

    # -- before routing --------------------------------------------------------------------------------------

    def process_request(self, http: falcon.Request, resp: falcon.Response) -> None:
        """Request id, authentication, version."""
        http.context.request_id = f"req-{uuid.uuid4()}"
        http.context.major = self._service.major_of(http.path)
        http.context.error_body = self._service.error_body
        http.context.named_error_body = self._service.named_error_body
        http.context.methods_hidden = http.context.major in self._service.methods_hidden
        http.context.echo = None
        if self._service.public.fullmatch(http.path):
            return
        self._engine.refresh()
        if self._service.legacy is not None and http.path.startswith(self._service.legacy[0]):
            http.context.request = self._authenticate(http)
            http.context.request.legacy = True
            http.context.request.version = versions.default(http.context.major)
            http.path = self._service.legacy[1] + http.path.removeprefix(self._service.legacy[0])
            return
        if self._service.version is not None:
            http.context.request = self._authenticate(http)
            http.context.request.version = self._service.version
            return
        http.context.versioned = True
        request = self._authenticate(http)
        try:
            version = versions.from_headers(http.env, http.context.major)
        except versions.VersionNotSupported as error:
            http.context.echo = error.version
            raise HTTPFault(406, str(error)) from error
        except versions.InvalidVersion as error:
            raise HTTPFault(400, str(error)) from error
        http.context.echo = request.version = version
        http.context.request = request

    def _authenticate(self, http: falcon.Request) -> Request:
        given = http.get_header("X-OpenStack-Request-ID")
        global_id = given if given and _REQUEST_ID.fullmatch(given) else None
        context = self._strategy(http.env, http.context.request_id, global_id)
        if context is None and self._service.anonymous.fullmatch(f"{http.method} {http.path}"):
            context = RequestContext(roles=[], request_id=http.context.request_id, global_request_id=global_id)
        if context is None:
            raise HTTPFault(401, "The request you have made requires authentication: send a valid X-Auth-Token.")
        return Request(http, context, self._engine, self._conf)

    def process_response(
        self, http: falcon.Request, resp: falcon.Response, resource: object, req_succeeded: bool
    ) -> None:
        """Request ids on every answer; version headers and Vary on every versioned one, errors included."""
        request_id = getattr(http.context, "request_id", None)
        if request_id:
            resp.set_header("X-OpenStack-Request-ID", request_id)
            resp.set_header("X-Compute-Request-ID", request_id)
        if getattr(http.context, "versioned", False):
            resp.append_header("Vary", f"{versions.HEADER}, {versions.LEGACY_HEADER}")
            echo = http.context.echo
            if echo is not None:
                resp.set_header(versions.HEADER, f"{versions.SERVICE_TYPE} {echo}")
                resp.set_header(versions.LEGACY_HEADER, str(echo))

    # -- after routing ---------------------------------------------------------------------------------------

    def handle(self, http: falcon.Request, resp: falcon.Response, path: str, fields: dict[str, str]) -> None:
        """Run the operation that ``http.method`` on the route ``path`` names, with the route's ``fields``."""
        if self._turn is not None and http.method == "GET":
            with self._turn:
                self._handle(http, resp, path, fields)
        else:
            self._handle(http, resp, path, fields)

    def _handle(self, http: falcon.Request, resp: falcon.Response, path: str, fields: dict[str, str]) -> None:
        request: Request = http.context.request
        if self._service.projects_in_paths:
            self._check_project(request, fields)
        if "" in fields.values():
            raise HTTPFault(404, NOT_FOUND)  # a name is missing in the path: it names nothing, rather than everything
        if "\x00" in http.path:
            raise HTTPFault(404, NOT_FOUND)  # no name has one, and PostgreSQL would not even look
        request.fields, request.table = fields, self.table
        operation, variant = self._operation(request, path)
        try:
            if operation.ownerless:
                self._enforce(request, operation, variant, None)
                obj = self._load(request, operation)
            else:
                obj = self._load(request, operation)
                self._enforce(request, operation, variant, obj)
            params = self._read(request, operation, variant)
            result = variant.function(request, obj, params)
        except exceptions.NovaLiteError as error:
            raise self._fault(error, operation, variant) from error
        if isinstance(result, HandedOver):
            resp.stream = result
            return
        status = variant.status if request.status is None else request.status
        if request.status is not None and request.status not in variant.other_statuses:
            raise ValueError(f"{operation.name} answers {request.status}, which it does not declare")
        resp.status = falcon.code_to_http_status(status)
        for name, value in request.headers.items():
            resp.set_header(name, value)
        if request.stream is not None:
            resp.content_type = "application/octet-stream"
            resp.set_stream(*request.stream)
            return
        document = variant.formats.write(result, self._memoized(request)) if variant.formats.has_output else None
        if document is not None:
            resp.content_type = falcon.MEDIA_JSON
            resp.data = orjson.dumps(document, option=_DUMP)

    def _check_project(self, request: Request, fields: dict[str, str]) -> None:
        project_id = fields.pop("project_id", None)
        if project_id is None:
            return
        own = request.context.project_id
        if project_id != own:
            if not _PROJECT_ID.fullmatch(project_id):
                raise HTTPFault(404, NOT_FOUND)  # the first part of the path is no project: an unknown route
            raise HTTPFault(
                400,
                f"Malformed request URL: URL's project_id '{project_id}' doesn't match Context's project_id '{own}'",
            )
        request.set_project_in_url(project_id)

    def _operation(self, request: Request, path: str) -> tuple[Operation, Variant]:
        major, method = request.version.major, request.http.method
        there = self.table.routes[major][path]
        candidates = there["GET"] if method == "HEAD" and method not in there else there[method]
        if method == "POST" and path in self.table.actions.get(major, {}):
            candidates = self._action(request, self.table.actions[major][path])
        for operation in candidates:
            variant = operation.at(request.version)
            if variant is not None:
                return operation, variant
        where = " or ".join(operation.describe_range(major) for operation in candidates)
        raise HTTPFault(404, f"{NOT_FOUND} It exists in {where} (this request: {request.version}).")

    def _action(self, request: Request, actions: Mapping[str, list[Operation]]) -> list[Operation]:
        body = request.body
        if not isinstance(body, dict):
            raise HTTPFault(400, "Malformed request body: an action is a JSON object with one key, its name.")
        if len(body) != 1:
            raise HTTPFault(400, f"Malformed request body: one action at a time, not {len(body)} keys.")
        name = next(iter(body))
        if name in self._service.removed_actions:
            raise HTTPFault(410, removed.MESSAGE)
        if name not in actions:
            raise HTTPFault(400, f"There is no such action: {name[:255]}")
        return actions[name]

    def _load(self, request: Request, operation: Operation) -> Any:
        if operation.object_field is None:
            return None
        loader = operation.load or self._loaders[operation.object_class]  # type: ignore[index]
        obj = loader(request, request.fields.pop(operation.object_field))
        # What belongs to no project (a flavor) is judged as the caller's own: its rules ask for a role, not an owner.
        request.set_target(obj.policy_target() or request.own_target())
        return obj

    def _enforce(self, request: Request, operation: Operation, variant: Variant, obj: Any) -> None:
        if obj is None and variant.target is not None:
            try:
                request.set_target(variant.target(request))
            except HTTPFault:
                # A body or query that cannot be read names nobody else's object; what is wrong with it is said only
                # to a caller who may send one.
                request.set_target(request.own_target())
        if not request.allowed(operation.policy):
            raise HTTPFault(403, f"Policy doesn't allow {operation.policy} to be performed.")

    def _read(self, request: Request, operation: Operation, variant: Variant) -> dict[str, Any]:
        formats = variant.formats
        try:
            params = formats.read(
                request.query if formats.has_query else None,
                request.body if formats.has_input else None,
                relaxed=request.legacy or self._service.relaxed,
            )
        except validation.ValidationFailed as error:
            raise HTTPFault(400, str(error)) from error
        refused = formats.guard(params, self._memoized(request))
        if refused is not None:
            raise HTTPFault(403, f"Policy doesn't allow {refused} to be performed.")
        params.update(request.fields)
        return params

    def _memoized(self, request: Request) -> Callable[[str], bool]:
        """Attribute rules decided once per response, never per row."""
        decided: dict[str, bool] = {}

        def allowed(rule: str) -> bool:
            if rule not in decided:
                decided[rule] = request.allowed(rule)
            return decided[rule]

        return allowed

    def _fault(self, error: exceptions.NovaLiteError, operation: Operation, variant: Variant) -> Exception:
        code = errors.code_of(error)
        loading = isinstance(error, exceptions.NotFound) and operation.object_field is not None
        # A database or an agent that does not answer may hit any operation; that is no bug of the operation.
        anywhere = isinstance(error, exceptions.Forbidden | exceptions.Unavailable)
        if code in variant.errors or anywhere or loading:
            return HTTPFault(code, str(error), kind=type(error).__name__)
        LOG.error("%s raised an error it does not declare (%d)", operation.name, code, exc_info=error)
        return UnexpectedError()


class UnexpectedError(Exception):
    """A bug that is already logged."""


def answer_fault(http: falcon.Request, resp: falcon.Response, error: HTTPFault, params: object) -> None:
    """Error handler for faults of our own."""
    _answer(http, resp, error.code, error.message, error.kind)
    if error.code == 401:
        resp.set_header("WWW-Authenticate", _challenge(http))
    for name, value in error.headers.items():
        resp.set_header(name, value)


def _challenge(http: falcon.Request) -> str:
    """What says to a client that it needs a token, and where there are any if that is here."""
    root = http.env.get(EMBEDDED_IDENTITY)
    return "Keystone" if root is None else f'Keystone uri="{root or f"{http.scheme}://{http.netloc}"}/identity/v3"'


def answer_falcon(http: falcon.Request, resp: falcon.Response, error: falcon.HTTPError, params: object) -> None:
    """Error handler for what falcon finds out itself: unknown routes, methods, broken requests."""
    code = int(str(error.status)[:3])
    if code == 405 and getattr(http.context, "methods_hidden", False):
        _answer(http, resp, 404, NOT_FOUND)
        return
    message = {404: NOT_FOUND, 405: f"The method {http.method} is not allowed for this resource."}.get(
        code, error.description or error.title or "The request failed."
    )
    _answer(http, resp, code, message)
    for name, value in dict(error.headers or {}).items():
        resp.set_header(name, value)


def answer_unexpected(http: falcon.Request, resp: falcon.Response, error: Exception, params: object) -> None:
    """Error handler for bugs: the trace goes to the log, the request id to the user."""
    request_id = getattr(http.context, "request_id", "")
    if not isinstance(error, UnexpectedError):
        LOG.error("Unexpected error in request %s: %s %s", request_id, http.method, http.path, exc_info=error)
    _answer(
        http,
        resp,
        500,
        f"Unexpected API Error. The error is logged with the request id {request_id}; give it to your administrator.",
    )


def _answer(http: falcon.Request, resp: falcon.Response, code: int, message: str, kind: str = "") -> None:
    resp.status = falcon.code_to_http_status(code)
    resp.content_type = falcon.MEDIA_JSON
    request_id = getattr(http.context, "request_id", "")
    named = getattr(http.context, "named_error_body", None)
    if named is not None:
        resp.data = orjson.dumps(named(code, message, kind))
        return
    body = getattr(http.context, "error_body", errors.body)
    resp.data = orjson.dumps(body(code, message, getattr(http.context, "major", 2), request_id))
