"""Who may see and manage hosts, until 2.42."""

from __future__ import annotations

from oslo_policy import policy

from nova_lite.policies import base

_RULES = [
    policy.DocumentedRuleDefault(
        name="os_compute_api:os-hosts:list",
        check_str=base.ADMIN,
        description="List hosts.",
        operations=[{"method": "GET", "path": "/os-hosts"}],
        scope_types=["project"],
    ),
    policy.DocumentedRuleDefault(
        name="os_compute_api:os-hosts:show",
        check_str=base.ADMIN,
        description="Show what a host has and what is used of it.",
        operations=[{"method": "GET", "path": "/os-hosts/{host_name}"}],
        scope_types=["project"],
    ),
    policy.DocumentedRuleDefault(
        name="os_compute_api:os-hosts:update",
        check_str=base.ADMIN,
        description="Enable or disable a host for new servers.",
        operations=[{"method": "PUT", "path": "/os-hosts/{host_name}"}],
        scope_types=["project"],
    ),
    policy.DocumentedRuleDefault(
        name="os_compute_api:os-hosts:reboot",
        check_str=base.ADMIN,
        description="Reboot a host.",
        operations=[{"method": "GET", "path": "/os-hosts/{host_name}/reboot"}],
        scope_types=["project"],
    ),
    policy.DocumentedRuleDefault(
        name="os_compute_api:os-hosts:shutdown",
        check_str=base.ADMIN,
        description="Shut a host down.",
        operations=[{"method": "GET", "path": "/os-hosts/{host_name}/shutdown"}],
        scope_types=["project"],
    ),
    policy.DocumentedRuleDefault(
        name="os_compute_api:os-hosts:start",
        check_str=base.ADMIN,
        description="Start a host.",
        operations=[{"method": "GET", "path": "/os-hosts/{host_name}/startup"}],
        scope_types=["project"],
    ),
]


def list_rules() -> list[policy.DocumentedRuleDefault]:
    return list(_RULES)
