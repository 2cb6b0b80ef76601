"""Who may see what projects used."""

from __future__ import annotations

from oslo_policy import policy

from nova_lite.policies import base

_RULES = [
    policy.DocumentedRuleDefault(
        name="os_compute_api:os-simple-tenant-usage:show",
        check_str=base.PROJECT_READER_OR_ADMIN,
        description="Show what a project used in a period.",
        operations=[{"method": "GET", "path": "/os-simple-tenant-usage/{tenant_id}"}],
        scope_types=["project"],
    ),
    policy.DocumentedRuleDefault(
        name="os_compute_api:os-simple-tenant-usage:list",
        check_str=base.ADMIN,
        description="List what every project used in a period.",
        operations=[{"method": "GET", "path": "/os-simple-tenant-usage"}],
        scope_types=["project"],
    ),
]


def list_rules() -> list[policy.DocumentedRuleDefault]:
    return list(_RULES)
