"""Policy of migrate and os-migrateLive."""

from __future__ import annotations

from oslo_policy import policy

from nova_lite.policies import base

_ROOT = "os_compute_api:os-migrate-server"


def _rule(name: str, check_str: str, action: str, description: str) -> policy.DocumentedRuleDefault:
    return policy.DocumentedRuleDefault(
        name=f"{_ROOT}:{name}",
        check_str=check_str,
        description=description,
        operations=[{"method": "POST", "path": f"/servers/{{server_id}}/action ({action})"}],
        scope_types=["project"],
    )


_RULES = [
    _rule("migrate", base.PROJECT_MANAGER_OR_ADMIN, "migrate", "Move a server to another host, with a stop."),
    _rule("migrate:host", base.ADMIN, "migrate", "Move a server to a given host, with a stop (from 2.56)."),
    _rule(
        "migrate_live",
        base.PROJECT_MANAGER_OR_ADMIN,
        "os-migrateLive",
        "Move a server to another host, without a stop.",
    ),
    _rule("migrate_live:host", base.ADMIN, "os-migrateLive", "Move a server to a given host, without a stop."),
]


def list_rules() -> list[policy.RuleDefault]:
    return list(_RULES)
