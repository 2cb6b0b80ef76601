"""Policy of evacuate: rebuilding a failed host's server elsewhere."""

from __future__ import annotations

from oslo_policy import policy

from nova_lite.policies import base

_RULES = [
    policy.DocumentedRuleDefault(
        name="os_compute_api:os-evacuate",
        check_str=base.ADMIN,
        description="Rebuild a server of a failed host on another host.",
        operations=[{"method": "POST", "path": "/servers/{server_id}/action (evacuate)"}],
        scope_types=["project"],
    ),
]


def list_rules() -> list[policy.RuleDefault]:
    return list(_RULES)
