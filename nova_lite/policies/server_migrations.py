"""Policy of a server's live migrations."""

from __future__ import annotations

from oslo_policy import policy

from nova_lite.policies import base

_ROOT = "os_compute_api:servers:migrations"
_ALL = "/servers/{server_id}/migrations"
_ONE = f"{_ALL}/{{migration_id}}"


def _rule(name: str, check_str: str, method: str, path: str, description: str) -> policy.DocumentedRuleDefault:
    return policy.DocumentedRuleDefault(
        name=f"{_ROOT}:{name}",
        check_str=check_str,
        description=description,
        operations=[{"method": method, "path": path}],
        scope_types=["project"],
    )


_RULES = [
    _rule("show", base.ADMIN, "GET", _ONE, "Show a live migration of a server that is under way (from 2.23)."),
    _rule(
        "force_complete",
        base.PROJECT_MANAGER_OR_ADMIN,
        "POST",
        f"{_ONE}/action (force_complete)",
        "End a live migration at once (from 2.22).",
    ),
    _rule("delete", base.PROJECT_MANAGER_OR_ADMIN, "DELETE", _ONE, "Give a live migration up (from 2.24)."),
    _rule(
        "index",
        base.PROJECT_MANAGER_OR_ADMIN,
        "GET",
        _ALL,
        "List the live migrations of a server that are under way (from 2.23).",
    ),
    _rule("index:host", base.ADMIN, "GET", _ALL, "See the hosts in a listing of a server's live migrations."),
]


def list_rules() -> list[policy.RuleDefault]:
    return list(_RULES)
