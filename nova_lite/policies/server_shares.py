"""Policy of a server's shares."""

from __future__ import annotations

from oslo_policy import policy

from nova_lite.policies import base

_ROOT = "os_compute_api:os-server-shares"
_ALL = "/servers/{server_id}/shares"
_ONE = f"{_ALL}/{{share_id}}"


def _rule(name: str, check_str: str, method: str, path: str, description: str) -> policy.DocumentedRuleDefault:
    return policy.DocumentedRuleDefault(
        name=f"{_ROOT}:{name}",
        check_str=check_str,
        description=description,
        operations=[{"method": method, "path": path}],
        scope_types=["project"],
    )


_RULES = [
    _rule("index", base.PROJECT_READER_OR_ADMIN, "GET", _ALL, "List the shares of a server."),
    _rule("create", base.PROJECT_MEMBER_OR_ADMIN, "POST", _ALL, "Attach a share to a server."),
    _rule("show", base.PROJECT_READER_OR_ADMIN, "GET", _ONE, "Show a share of a server."),
    _rule("delete", base.PROJECT_MEMBER_OR_ADMIN, "DELETE", _ONE, "Detach a share from a server."),
]


def list_rules() -> list[policy.RuleDefault]:
    return list(_RULES)
