"""Who may see and manage the compute services."""

from __future__ import annotations

from oslo_policy import policy

from nova_lite.policies import base

_RULES = [
    policy.DocumentedRuleDefault(
        name="os_compute_api:os-services:list",
        check_str=base.ADMIN,
        description="List the compute services and whether they are up.",
        operations=[{"method": "GET", "path": "/os-services"}],
        scope_types=["project"],
    ),
    policy.DocumentedRuleDefault(
        name="os_compute_api:os-services:update",
        check_str=base.ADMIN,
        description="Enable, disable or force down a compute service.",
        operations=[{"method": "PUT", "path": "/os-services/{service_id}"}],
        scope_types=["project"],
    ),
    policy.DocumentedRuleDefault(
        name="os_compute_api:os-services:delete",
        check_str=base.ADMIN,
        description="Delete the record of a compute service.",
        operations=[{"method": "DELETE", "path": "/os-services/{service_id}"}],
        scope_types=["project"],
    ),
]


def list_rules() -> list[policy.DocumentedRuleDefault]:
    return list(_RULES)
