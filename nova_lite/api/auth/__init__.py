"""Who is calling: one strategy per way of proving it. A strategy turns a request's head into a context or None."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from oslo_config import cfg

from nova_lite import conf as nova_lite_conf
from nova_lite.api.auth import tokens
from nova_lite.api.auth.noauth2 import NoAuth2
from nova_lite.api.auth.token import TokenAuth
from nova_lite.context import RequestContext

# (WSGI environment, request id, global request id or None) → context, or None for 401
Strategy = Callable[[Mapping[str, Any], str, str | None], RequestContext | None]
# The same, for those that look at X-Auth-Token and nothing else
ByToken = Callable[[str | None, str, str | None], RequestContext | None]

# Keystone's implied roles (keystone-manage bootstrap): who holds a stronger role holds the weaker ones too.
IMPLIED_ROLES = {"admin": ("manager",), "manager": ("member",), "member": ("reader",)}


def expand_roles(roles: list[str]) -> list[str]:
    """The roles with the ones they imply, without repeats, in order of strength as given."""
    expanded: list[str] = []
    waiting = list(roles)
    while waiting:
        role = waiting.pop(0)
        if role not in expanded:
            expanded.append(role)
            waiting.extend(IMPLIED_ROLES.get(role, ()))
    return expanded


class Contexts(Protocol):
    """What a token of the embedded Identity service stands for."""

    def context(self, request_id: str, global_request_id: str | None) -> RequestContext: ...


class Issuer(Protocol):
    """The embedded Identity service."""

    def find(self, text: str) -> Contexts | None: ...


def strategy(conf: cfg.ConfigOpts, issuer: Issuer | None = None) -> Strategy:
    """The strategy that ``[api] auth_strategy`` names.

    :param issuer: whose tokens are good besides those of the token file.
    :raises Invalid: its options cannot be used.
    """
    if conf.api.auth_strategy == "keystone":
        from nova_lite.api.auth.keystone import KeystoneAuth  # with it comes what only this strategy needs

        return KeystoneAuth(conf)
    if conf.api.auth_strategy == "noauth2":
        return _by_token(NoAuth2(expand_roles))
    path = conf.api.tokens_file or nova_lite_conf.paths(conf).tokens
    return _by_token(_either(TokenAuth(path, expand_roles), issuer))


def _by_token(find: ByToken) -> Strategy:
    def ask(environ: Mapping[str, Any], request_id: str, global_request_id: str | None) -> RequestContext | None:
        return find(environ.get("HTTP_X_AUTH_TOKEN"), request_id, global_request_id)

    return ask


def _either(file: TokenAuth, issuer: Issuer | None) -> ByToken:
    def find(token: str | None, request_id: str, global_request_id: str | None) -> RequestContext | None:
        if not token or issuer is None or token.startswith(tokens.PREFIX):
            return file(token, request_id, global_request_id)
        found = issuer.find(token)
        return found.context(request_id, global_request_id) if found is not None else None

    return find
