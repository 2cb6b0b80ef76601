"""Policy of a server's console output."""

from __future__ import annotations

from oslo_policy import policy

from nova_lite.policies import base

_RULES = [
    policy.DocumentedRuleDefault(
        name="os_compute_api:os-console-output",
        check_str=base.PROJECT_MEMBER_OR_ADMIN,
        description="Read what a server has written to its console.",
        operations=[{"method": "POST", "path": "/servers/{server_id}/action (os-getConsoleOutput)"}],
        scope_types=["project"],
    ),
]


def list_rules() -> list[policy.RuleDefault]:
    return list(_RULES)
