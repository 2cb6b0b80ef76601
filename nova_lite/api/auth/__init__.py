"""Who is calling: one strategy per way of proving it. A strategy turns X-Auth-Token into a RequestContext or None."""

from __future__ import annotations

from collections.abc import Callable

from oslo_config import cfg

from nova_lite import conf as nova_lite_conf
from nova_lite.api.auth.noauth2 import NoAuth2
from nova_lite.api.auth.token import TokenAuth
from nova_lite.context import RequestContext

# (token or None, request id, global request id or None) → context, or None for 401
Strategy = Callable[[str | None, str, str | None], RequestContext | None]

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


def strategy(conf: cfg.ConfigOpts) -> Strategy:
    """The strategy that ``[api] auth_strategy`` names."""
    if conf.api.auth_strategy == "noauth2":
        return NoAuth2(expand_roles)
    path = conf.api.tokens_file or nova_lite_conf.paths(conf).tokens
    return TokenAuth(path, expand_roles)
