"""Policy of os-tenant-networks, up to 2.35."""

from __future__ import annotations

from oslo_policy import policy

from nova_lite.policies import base

_RULES = [
    policy.DocumentedRuleDefault(
        name="os_compute_api:os-tenant-networks:list",
        check_str=base.PROJECT_READER_OR_ADMIN,
        description="List the networks of a project.",
        operations=[{"method": "GET", "path": "/os-tenant-networks"}],
        scope_types=["project"],
    ),
    policy.DocumentedRuleDefault(
        name="os_compute_api:os-tenant-networks:show",
        check_str=base.PROJECT_READER_OR_ADMIN,
        description="Show a network of a project.",
        operations=[{"method": "GET", "path": "/os-tenant-networks/{network_id}"}],
        scope_types=["project"],
    ),
]


def list_rules() -> list[policy.RuleDefault]:
    return list(_RULES)
