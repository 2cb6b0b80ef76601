"""Who may see the availability zones and the hosts in them."""

from __future__ import annotations

from oslo_policy import policy

from nova_lite.policies import base

_RULES = [
    policy.DocumentedRuleDefault(
        name="os_compute_api:os-availability-zone:list",
        check_str=base.RULE_ANY,
        description="List availability zones without their hosts.",
        operations=[{"method": "GET", "path": "/os-availability-zone"}],
        scope_types=["project"],
    ),
    policy.DocumentedRuleDefault(
        name="os_compute_api:os-availability-zone:detail",
        check_str=base.ADMIN,
        description="List availability zones with their hosts and services.",
        operations=[{"method": "GET", "path": "/os-availability-zone/detail"}],
        scope_types=["project"],
    ),
]


def list_rules() -> list[policy.DocumentedRuleDefault]:
    return list(_RULES)
