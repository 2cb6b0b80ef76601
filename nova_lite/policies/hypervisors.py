"""Who may see the host and what runs on it."""

from __future__ import annotations

from oslo_policy import policy

from nova_lite.policies import base

_RULES = [
    policy.DocumentedRuleDefault(
        name="os_compute_api:os-hypervisors:list",
        check_str=base.ADMIN,
        description="List hypervisors.",
        operations=[{"method": "GET", "path": "/os-hypervisors"}],
        scope_types=["project"],
    ),
    policy.DocumentedRuleDefault(
        name="os_compute_api:os-hypervisors:list-detail",
        check_str=base.ADMIN,
        description="List hypervisors with details.",
        operations=[{"method": "GET", "path": "/os-hypervisors/detail"}],
        scope_types=["project"],
    ),
    policy.DocumentedRuleDefault(
        name="os_compute_api:os-hypervisors:show",
        check_str=base.ADMIN,
        description="Show a hypervisor.",
        operations=[{"method": "GET", "path": "/os-hypervisors/{hypervisor_id}"}],
        scope_types=["project"],
    ),
    policy.DocumentedRuleDefault(
        name="os_compute_api:os-hypervisors:statistics",
        check_str=base.ADMIN,
        description="Show the sum over all hypervisors (microversions 2.1 to 2.87).",
        operations=[{"method": "GET", "path": "/os-hypervisors/statistics"}],
        scope_types=["project"],
    ),
    policy.DocumentedRuleDefault(
        name="os_compute_api:os-hypervisors:uptime",
        check_str=base.ADMIN,
        description="Show the uptime of a hypervisor (microversions 2.1 to 2.87).",
        operations=[{"method": "GET", "path": "/os-hypervisors/{hypervisor_id}/uptime"}],
        scope_types=["project"],
    ),
    policy.DocumentedRuleDefault(
        name="os_compute_api:os-hypervisors:search",
        check_str=base.ADMIN,
        description="Find hypervisors by a part of their name (microversions 2.1 to 2.52).",
        operations=[{"method": "GET", "path": "/os-hypervisors/{hypervisor_hostname_pattern}/search"}],
        scope_types=["project"],
    ),
    policy.DocumentedRuleDefault(
        name="os_compute_api:os-hypervisors:servers",
        check_str=base.ADMIN,
        description=(
            "List the servers of the hypervisors found by a part of their name (microversions 2.1 to 2.52)."
        ),
        operations=[{"method": "GET", "path": "/os-hypervisors/{hypervisor_hostname_pattern}/servers"}],
        scope_types=["project"],
    ),
]


def list_rules() -> list[policy.DocumentedRuleDefault]:
    return list(_RULES)
