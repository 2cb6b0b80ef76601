"""Who may see and change the quotas of a project."""

from __future__ import annotations

from oslo_policy import policy

from nova_lite.policies import base

_RULES = [
    policy.DocumentedRuleDefault(
        name="os_compute_api:os-quota-sets:update",
        check_str=base.ADMIN,
        description="Change the quotas of a project, or of a user in it.",
        operations=[{"method": "PUT", "path": "/os-quota-sets/{tenant_id}"}],
        scope_types=["project"],
    ),
    policy.DocumentedRuleDefault(
        name="os_compute_api:os-quota-sets:defaults",
        check_str=base.RULE_ANY,
        description="Show the default quotas.",
        operations=[{"method": "GET", "path": "/os-quota-sets/{tenant_id}/defaults"}],
        scope_types=["project"],
    ),
    policy.DocumentedRuleDefault(
        name="os_compute_api:os-quota-sets:show",
        check_str=base.PROJECT_READER_OR_ADMIN,
        description="Show the quotas of a project, or of a user in it.",
        operations=[{"method": "GET", "path": "/os-quota-sets/{tenant_id}"}],
        scope_types=["project"],
    ),
    policy.DocumentedRuleDefault(
        name="os_compute_api:os-quota-sets:delete",
        check_str=base.ADMIN,
        description="Set the quotas of a project, or of a user in it, back to the defaults.",
        operations=[{"method": "DELETE", "path": "/os-quota-sets/{tenant_id}"}],
        scope_types=["project"],
    ),
    policy.DocumentedRuleDefault(
        name="os_compute_api:os-quota-sets:detail",
        check_str=base.PROJECT_READER_OR_ADMIN,
        description="Show the quotas of a project with what is used of them.",
        operations=[{"method": "GET", "path": "/os-quota-sets/{tenant_id}/detail"}],
        scope_types=["project"],
    ),
]


def list_rules() -> list[policy.DocumentedRuleDefault]:
    return list(_RULES)
