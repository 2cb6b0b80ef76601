"""Policy of the security groups of a server."""

from __future__ import annotations

from oslo_policy import policy

from nova_lite.policies import base

_RULES = [
    policy.DocumentedRuleDefault(
        name="os_compute_api:os-security-groups:list",
        check_str=base.PROJECT_READER_OR_ADMIN,
        description="List the security groups of a server.",
        operations=[{"method": "GET", "path": "/servers/{server_id}/os-security-groups"}],
        scope_types=["project"],
    ),
    policy.DocumentedRuleDefault(
        name="os_compute_api:os-security-groups:add",
        check_str=base.PROJECT_MEMBER_OR_ADMIN,
        description="Put a server into a security group.",
        operations=[{"method": "POST", "path": "/servers/{server_id}/action (addSecurityGroup)"}],
        scope_types=["project"],
    ),
    policy.DocumentedRuleDefault(
        name="os_compute_api:os-security-groups:remove",
        check_str=base.PROJECT_MEMBER_OR_ADMIN,
        description="Take a server out of a security group.",
        operations=[{"method": "POST", "path": "/servers/{server_id}/action (removeSecurityGroup)"}],
        scope_types=["project"],
    ),
]


def list_rules() -> list[policy.RuleDefault]:
    return list(_RULES)
