"""Policy of the tags of servers."""

from __future__ import annotations

from oslo_policy import policy

from nova_lite.policies import base

_RULES = [
    policy.DocumentedRuleDefault(
        name="os_compute_api:os-server-tags:index",
        check_str=base.PROJECT_READER_OR_ADMIN,
        description="List the tags of a server.",
        operations=[{"method": "GET", "path": "/servers/{server_id}/tags"}],
        scope_types=["project"],
    ),
    policy.DocumentedRuleDefault(
        name="os_compute_api:os-server-tags:show",
        check_str=base.PROJECT_READER_OR_ADMIN,
        description="Check whether a server has a tag.",
        operations=[{"method": "GET", "path": "/servers/{server_id}/tags/{tag}"}],
        scope_types=["project"],
    ),
    policy.DocumentedRuleDefault(
        name="os_compute_api:os-server-tags:update_all",
        check_str=base.PROJECT_MEMBER_OR_ADMIN,
        description="Replace the tags of a server.",
        operations=[{"method": "PUT", "path": "/servers/{server_id}/tags"}],
        scope_types=["project"],
    ),
    policy.DocumentedRuleDefault(
        name="os_compute_api:os-server-tags:delete_all",
        check_str=base.PROJECT_MEMBER_OR_ADMIN,
        description="Remove all tags of a server.",
        operations=[{"method": "DELETE", "path": "/servers/{server_id}/tags"}],
        scope_types=["project"],
    ),
    policy.DocumentedRuleDefault(
        name="os_compute_api:os-server-tags:update",
        check_str=base.PROJECT_MEMBER_OR_ADMIN,
        description="Add a tag to a server.",
        operations=[{"method": "PUT", "path": "/servers/{server_id}/tags/{tag}"}],
        scope_types=["project"],
    ),
    policy.DocumentedRuleDefault(
        name="os_compute_api:os-server-tags:delete",
        check_str=base.PROJECT_MEMBER_OR_ADMIN,
        description="Remove a tag of a server.",
        operations=[{"method": "DELETE", "path": "/servers/{server_id}/tags/{tag}"}],
        scope_types=["project"],
    ),
]


def list_rules() -> list[policy.RuleDefault]:
    return list(_RULES)
