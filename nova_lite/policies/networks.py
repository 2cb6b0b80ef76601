"""Policy of os-networks, up to 2.35."""

from __future__ import annotations

from oslo_policy import policy

from nova_lite.policies import base

_RULES = [
    policy.DocumentedRuleDefault(
        name="os_compute_api:os-networks:list",
        check_str=base.PROJECT_READER_OR_ADMIN,
        description="List networks.",
        operations=[{"method": "GET", "path": "/os-networks"}],
        scope_types=["project"],
    ),
    policy.DocumentedRuleDefault(
        name="os_compute_api:os-networks:show",
        check_str=base.PROJECT_READER_OR_ADMIN,
        description="Show a network.",
        operations=[{"method": "GET", "path": "/os-networks/{network_id}"}],
        scope_types=["project"],
    ),
]


def list_rules() -> list[policy.RuleDefault]:
    return list(_RULES)
