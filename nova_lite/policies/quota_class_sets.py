"""Who may see and change quota classes."""

from __future__ import annotations

from oslo_policy import policy

from nova_lite.policies import base

_RULES = [
    policy.DocumentedRuleDefault(
        name="os_compute_api:os-quota-class-sets:show",
        check_str=base.ADMIN,
        description="Show the limits of a quota class.",
        operations=[{"method": "GET", "path": "/os-quota-class-sets/{quota_class}"}],
        scope_types=["project"],
    ),
    policy.DocumentedRuleDefault(
        name="os_compute_api:os-quota-class-sets:update",
        check_str=base.ADMIN,
        description="Change the limits of a quota class.",
        operations=[{"method": "PUT", "path": "/os-quota-class-sets/{quota_class}"}],
        scope_types=["project"],
    ),
]


def list_rules() -> list[policy.DocumentedRuleDefault]:
    return list(_RULES)
