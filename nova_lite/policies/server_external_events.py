"""Who may tell of events outside."""

from __future__ import annotations

from oslo_policy import policy

from nova_lite.policies import base

_RULES = [
    policy.DocumentedRuleDefault(
        name="os_compute_api:os-server-external-events:create",
        check_str=base.SERVICE_ROLE,
        description="Tell servers of events in other services.",
        operations=[{"method": "POST", "path": "/os-server-external-events"}],
        scope_types=["project"],
    ),
]


def list_rules() -> list[policy.DocumentedRuleDefault]:
    return list(_RULES)
