"""Policy of the passwords that guests leave for their owners."""

from __future__ import annotations

from oslo_policy import policy

from nova_lite.policies import base

_RULES = [
    policy.DocumentedRuleDefault(
        name="os_compute_api:os-server-password:show",
        check_str=base.PROJECT_READER_OR_ADMIN,
        description="Show the password that a guest has left.",
        operations=[{"method": "GET", "path": "/servers/{server_id}/os-server-password"}],
        scope_types=["project"],
    ),
    policy.DocumentedRuleDefault(
        name="os_compute_api:os-server-password:clear",
        check_str=base.PROJECT_MEMBER_OR_ADMIN,
        description="Forget the password that a guest has left.",
        operations=[{"method": "DELETE", "path": "/servers/{server_id}/os-server-password"}],
        scope_types=["project"],
    ),
]


def list_rules() -> list[policy.RuleDefault]:
    return list(_RULES)
