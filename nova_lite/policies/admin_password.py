"""Policy of changePassword."""

from __future__ import annotations

from oslo_policy import policy

from nova_lite.policies import base

_RULES = [
    policy.DocumentedRuleDefault(
        name="os_compute_api:os-admin-password",
        check_str=base.PROJECT_MEMBER_OR_ADMIN,
        description="Set the password of a server's administrator.",
        operations=[{"method": "POST", "path": "/servers/{server_id}/action (changePassword)"}],
        scope_types=["project"],
    ),
]


def list_rules() -> list[policy.RuleDefault]:
    return list(_RULES)
