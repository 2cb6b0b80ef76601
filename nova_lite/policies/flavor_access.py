"""Who may see and change the access list of a private flavor."""

from __future__ import annotations

from oslo_policy import policy

from nova_lite.policies import base

_RULES = [
    policy.DocumentedRuleDefault(
        name="os_compute_api:os-flavor-access",
        check_str=base.ADMIN,
        description="List the projects that may use a private flavor.",
        operations=[{"method": "GET", "path": "/flavors/{flavor_id}/os-flavor-access"}],
        scope_types=["project"],
    ),
    policy.DocumentedRuleDefault(
        name="os_compute_api:os-flavor-access:add_tenant_access",
        check_str=base.ADMIN,
        description="Let a project use a private flavor.",
        operations=[{"method": "POST", "path": "/flavors/{flavor_id}/action (addTenantAccess)"}],
        scope_types=["project"],
    ),
    policy.DocumentedRuleDefault(
        name="os_compute_api:os-flavor-access:remove_tenant_access",
        check_str=base.ADMIN,
        description="Take a private flavor away from a project.",
        operations=[{"method": "POST", "path": "/flavors/{flavor_id}/action (removeTenantAccess)"}],
        scope_types=["project"],
    ),
]


def list_rules() -> list[policy.DocumentedRuleDefault]:
    return list(_RULES)
