"""Policy of the metadata of servers."""

from __future__ import annotations

from oslo_policy import policy

from nova_lite.policies import base

_RULES = [
    policy.DocumentedRuleDefault(
        name="os_compute_api:server-metadata:index",
        check_str=base.PROJECT_READER_OR_ADMIN,
        description="List the metadata of a server.",
        operations=[{"method": "GET", "path": "/servers/{server_id}/metadata"}],
        scope_types=["project"],
    ),
    policy.DocumentedRuleDefault(
        name="os_compute_api:server-metadata:show",
        check_str=base.PROJECT_READER_OR_ADMIN,
        description="Show one item of a server's metadata.",
        operations=[{"method": "GET", "path": "/servers/{server_id}/metadata/{key}"}],
        scope_types=["project"],
    ),
    policy.DocumentedRuleDefault(
        name="os_compute_api:server-metadata:create",
        check_str=base.PROJECT_MEMBER_OR_ADMIN,
        description="Add items to a server's metadata.",
        operations=[{"method": "POST", "path": "/servers/{server_id}/metadata"}],
        scope_types=["project"],
    ),
    policy.DocumentedRuleDefault(
        name="os_compute_api:server-metadata:update_all",
        check_str=base.PROJECT_MEMBER_OR_ADMIN,
        description="Replace the metadata of a server.",
        operations=[{"method": "PUT", "path": "/servers/{server_id}/metadata"}],
        scope_types=["project"],
    ),
    policy.DocumentedRuleDefault(
        name="os_compute_api:server-metadata:update",
        check_str=base.PROJECT_MEMBER_OR_ADMIN,
        description="Set one item of a server's metadata.",
        operations=[{"method": "PUT", "path": "/servers/{server_id}/metadata/{key}"}],
        scope_types=["project"],
    ),
    policy.DocumentedRuleDefault(
        name="os_compute_api:server-metadata:delete",
        check_str=base.PROJECT_MEMBER_OR_ADMIN,
        description="Remove one item of a server's metadata.",
        operations=[{"method": "DELETE", "path": "/servers/{server_id}/metadata/{key}"}],
        scope_types=["project"],
    ),
]


def list_rules() -> list[policy.RuleDefault]:
    return list(_RULES)
