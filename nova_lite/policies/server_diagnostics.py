"""Policy of the diagnostics of servers."""

from __future__ import annotations

from oslo_policy import policy

from nova_lite.policies import base

_RULES = [
    policy.DocumentedRuleDefault(
        name="os_compute_api:os-server-diagnostics",
        check_str=base.ADMIN,
        description="Show what a server's VM has used.",
        operations=[{"method": "GET", "path": "/servers/{server_id}/diagnostics"}],
        scope_types=["project"],
    ),
]


def list_rules() -> list[policy.RuleDefault]:
    return list(_RULES)
