"""Policy of the NUMA topology of servers."""

from __future__ import annotations

from oslo_policy import policy

from nova_lite.policies import base

_RULES = [
    policy.DocumentedRuleDefault(
        name="compute:server:topology:index",
        check_str=base.PROJECT_READER_OR_ADMIN,
        description="Show the NUMA topology of a server (from 2.78).",
        operations=[{"method": "GET", "path": "/servers/{server_id}/topology"}],
        scope_types=["project"],
    ),
    policy.DocumentedRuleDefault(
        name="compute:server:topology:host:index",
        check_str=base.ADMIN,
        description="Show which nodes and CPUs of the host a server's topology is tied to (from 2.78).",
        operations=[{"method": "GET", "path": "/servers/{server_id}/topology"}],
        scope_types=["project"],
    ),
]


def list_rules() -> list[policy.RuleDefault]:
    return list(_RULES)
