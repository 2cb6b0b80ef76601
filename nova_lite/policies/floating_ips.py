"""Policy of os-floating-ips and os-floating-ip-pools, up to 2.35, and of the actions up to 2.43."""

from __future__ import annotations

from oslo_policy import policy

from nova_lite.policies import base

_RULES = [
    policy.DocumentedRuleDefault(
        name="os_compute_api:os-floating-ips:add",
        check_str=base.PROJECT_MEMBER_OR_ADMIN,
        description="Lead a floating IP to a server.",
        operations=[{"method": "POST", "path": "/servers/{server_id}/action (addFloatingIp)"}],
        scope_types=["project"],
    ),
    policy.DocumentedRuleDefault(
        name="os_compute_api:os-floating-ips:remove",
        check_str=base.PROJECT_MEMBER_OR_ADMIN,
        description="Take a floating IP from a server.",
        operations=[{"method": "POST", "path": "/servers/{server_id}/action (removeFloatingIp)"}],
        scope_types=["project"],
    ),
    policy.DocumentedRuleDefault(
        name="os_compute_api:os-floating-ips:list",
        check_str=base.PROJECT_READER_OR_ADMIN,
        description="List floating IPs.",
        operations=[{"method": "GET", "path": "/os-floating-ips"}],
        scope_types=["project"],
    ),
    policy.DocumentedRuleDefault(
        name="os_compute_api:os-floating-ips:create",
        check_str=base.PROJECT_MEMBER_OR_ADMIN,
        description="Take a floating IP from a pool.",
        operations=[{"method": "POST", "path": "/os-floating-ips"}],
        scope_types=["project"],
    ),
    policy.DocumentedRuleDefault(
        name="os_compute_api:os-floating-ips:show",
        check_str=base.PROJECT_READER_OR_ADMIN,
        description="Show a floating IP.",
        operations=[{"method": "GET", "path": "/os-floating-ips/{floating_ip_id}"}],
        scope_types=["project"],
    ),
    policy.DocumentedRuleDefault(
        name="os_compute_api:os-floating-ips:delete",
        check_str=base.PROJECT_MEMBER_OR_ADMIN,
        description="Give a floating IP back.",
        operations=[{"method": "DELETE", "path": "/os-floating-ips/{floating_ip_id}"}],
        scope_types=["project"],
    ),
    policy.DocumentedRuleDefault(
        name="os_compute_api:os-floating-ip-pools",
        check_str=base.RULE_ANY,
        description="List the pools of floating IPs.",
        operations=[{"method": "GET", "path": "/os-floating-ip-pools"}],
        scope_types=["project"],
    ),
]


def list_rules() -> list[policy.RuleDefault]:
    return list(_RULES)
