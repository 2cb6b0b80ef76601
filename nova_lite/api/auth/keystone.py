"""``keystone``: a real Keystone says who the caller is, through keystonemiddleware (group ``[keystone_authtoken]``)."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from oslo_config import cfg

from nova_lite import exceptions
from nova_lite.api.errors import HTTPFault
from nova_lite.context import RequestContext

_PASSED = "nova_lite.token_is_good"
_UNAUTHORIZED = "The request you have made requires authentication: send a valid X-Auth-Token."
_AWAY = "The Keystone service is temporarily unavailable."


class KeystoneAuth:
    """Shows the head of each request to keystonemiddleware's WSGI application, and reads what that wrote into it.

    It stands beside the pipeline, not before it: discovery needs no token, and its refusals get the API's own form.
    Tokens that were found good are remembered by the middleware (``token_cache_time``).
    """

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        """:raises Invalid: keystonemiddleware is not installed, or its options cannot be used."""
        try:
            from keystoneauth1.exceptions import ClientException
            from keystonemiddleware import auth_token
        except ImportError as error:
            raise exceptions.Invalid(
                "[api] auth_strategy = keystone needs keystonemiddleware: pip install 'nova-lite[keystone]'"
            ) from error
        self._failures = ClientException
        try:
            # Decided here, whatever the group says: deferred, the middleware takes a Keystone that is away for a bad
            # token.
            own = {"oslo_config_config": conf, "delay_auth_decision": "false"}
            self._middleware = auth_token.AuthProtocol(_note, own)
        except ClientException as error:
            raise exceptions.Invalid(f"[keystone_authtoken]: {error}") from error

    def __call__(
        self, environ: Mapping[str, Any], request_id: str, global_request_id: str | None
    ) -> RequestContext | None:
        """The caller; HTTPFault 401 for a token that Keystone does not know, 503 when it cannot be asked."""
        head = dict(environ) | {"wsgi.input": io.BytesIO(), "CONTENT_LENGTH": "0"}
        head.pop(_PASSED, None)
        answer: dict[str, Any] = {}

        def start_response(status: str, headers: list[tuple[str, str]], exc_info: object = None) -> None:
            answer["code"], answer["headers"] = int(status[:3]), dict(headers)

        try:
            for _ in self._middleware(head, start_response):
                continue  # of a refusal only the status is of interest
        except self._failures as error:  # of our own account at Keystone: the caller can do nothing about it
            raise HTTPFault(503, _AWAY) from error
        if head.get(_PASSED):
            return _context(head, request_id, global_request_id)
        if answer["code"] == 401:
            challenge = answer["headers"].get("WWW-Authenticate", "Keystone")
            raise HTTPFault(401, _UNAUTHORIZED, {"WWW-Authenticate": challenge})
        raise HTTPFault(503, _AWAY)


def _note(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """The application behind the middleware: whoever comes so far may go on."""
    environ[_PASSED] = True
    start_response("204 No Content", [])
    return []


def _context(head: dict[str, Any], request_id: str, global_request_id: str | None) -> RequestContext:
    context = RequestContext.from_environ(head, request_id=request_id, global_request_id=global_request_id)
    if context.project_id is None:
        # As Nova, whose rules are for the scope of a project: roles on a domain or the system open nothing here.
        context.roles = []
    return context
