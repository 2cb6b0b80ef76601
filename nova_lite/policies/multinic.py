"""Policy of addFixedIp and removeFixedIp, up to 2.43."""

from __future__ import annotations

from oslo_policy import policy

from nova_lite.policies import base

_RULES = [
    policy.DocumentedRuleDefault(
        name="os_compute_api:os-multinic:add",
        check_str=base.PROJECT_MEMBER_OR_ADMIN,
        description="Give a server one more address on a network.",
        operations=[{"method": "POST", "path": "/servers/{server_id}/action (addFixedIp)"}],
        scope_types=["project"],
    ),
    policy.DocumentedRuleDefault(
        name="os_compute_api:os-multinic:remove",
        check_str=base.PROJECT_MEMBER_OR_ADMIN,
        description="Take an address from a server.",
        operations=[{"method": "POST", "path": "/servers/{server_id}/action (removeFixedIp)"}],
        scope_types=["project"],
    ),
]


def list_rules() -> list[policy.RuleDefault]:
    return list(_RULES)
