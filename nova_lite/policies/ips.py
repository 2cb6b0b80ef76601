"""Policy of the addresses of a server."""

from __future__ import annotations

from oslo_policy import policy

from nova_lite.policies import base

_RULES = [
    policy.DocumentedRuleDefault(
        name="os_compute_api:ips:index",
        check_str=base.PROJECT_READER_OR_ADMIN,
        description="List the addresses of a server.",
        operations=[{"method": "GET", "path": "/servers/{server_id}/ips"}],
        scope_types=["project"],
    ),
    policy.DocumentedRuleDefault(
        name="os_compute_api:ips:show",
        check_str=base.PROJECT_READER_OR_ADMIN,
        description="Show the addresses of a server on one network.",
        operations=[{"method": "GET", "path": "/servers/{server_id}/ips/{network_label}"}],
        scope_types=["project"],
    ),
]


def list_rules() -> list[policy.RuleDefault]:
    return list(_RULES)
