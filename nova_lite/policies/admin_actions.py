"""Policy of administrators' actions on servers."""

from __future__ import annotations

from oslo_policy import policy

from nova_lite.policies import base

_RULES = [
    policy.DocumentedRuleDefault(
        name="os_compute_api:os-admin-actions:reset_state",
        check_str=base.ADMIN,
        description="Reset the state of a server.",
        operations=[{"method": "POST", "path": "/servers/{server_id}/action (os-resetState)"}],
        scope_types=["project"],
    ),
    policy.DocumentedRuleDefault(
        name="os_compute_api:os-admin-actions:inject_network_info",
        check_str=base.ADMIN,
        description="Inject network information into a server: does nothing with KVM.",
        operations=[{"method": "POST", "path": "/servers/{server_id}/action (injectNetworkInfo)"}],
        scope_types=["project"],
    ),
]


def list_rules() -> list[policy.RuleDefault]:
    return list(_RULES)
