"""Policy of the security groups of a server, and of those of a project up to 2.35."""

from __future__ import annotations

from oslo_policy import policy

from nova_lite.policies import base

_RULES = [
    policy.DocumentedRuleDefault(
        name="os_compute_api:os-security-groups:get",
        check_str=base.PROJECT_READER_OR_ADMIN,
        description="List security groups.",
        operations=[{"method": "GET", "path": "/os-security-groups"}],
        scope_types=["project"],
    ),
    policy.DocumentedRuleDefault(
        name="os_compute_api:os-security-groups:show",
        check_str=base.PROJECT_READER_OR_ADMIN,
        description="Show a security group.",
        operations=[{"method": "GET", "path": "/os-security-groups/{group_id}"}],
        scope_types=["project"],
    ),
    policy.DocumentedRuleDefault(
        name="os_compute_api:os-security-groups:create",
        check_str=base.PROJECT_MEMBER_OR_ADMIN,
        description="Create a security group.",
        operations=[{"method": "POST", "path": "/os-security-groups"}],
        scope_types=["project"],
    ),
    policy.DocumentedRuleDefault(
        name="os_compute_api:os-security-groups:update",
        check_str=base.PROJECT_MEMBER_OR_ADMIN,
        description="Update a security group.",
        operations=[{"method": "PUT", "path": "/os-security-groups/{group_id}"}],
        scope_types=["project"],
    ),
    policy.DocumentedRuleDefault(
        name="os_compute_api:os-security-groups:delete",
        check_str=base.PROJECT_MEMBER_OR_ADMIN,
        description="Delete a security group.",
        operations=[{"method": "DELETE", "path": "/os-security-groups/{group_id}"}],
        scope_types=["project"],
    ),
    policy.DocumentedRuleDefault(
        name="os_compute_api:os-security-groups:rule:create",
        check_str=base.PROJECT_MEMBER_OR_ADMIN,
        description="Add a rule to a security group.",
        operations=[{"method": "POST", "path": "/os-security-group-rules"}],
        scope_types=["project"],
    ),
    policy.DocumentedRuleDefault(
        name="os_compute_api:os-security-groups:rule:delete",
        check_str=base.PROJECT_MEMBER_OR_ADMIN,
        description="Take a rule from a security group.",
        operations=[{"method": "DELETE", "path": "/os-security-group-rules/{rule_id}"}],
        scope_types=["project"],
    ),
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
