"""Who may see the limits of a project and how much of them is in use."""

from __future__ import annotations

from oslo_policy import policy

from nova_lite.policies import base

_RULES = [
    policy.DocumentedRuleDefault(
        name="os_compute_api:limits",
        check_str=base.RULE_ANY,
        description="Show the limits of the caller's own project.",
        operations=[{"method": "GET", "path": "/limits"}],
        scope_types=["project"],
    ),
    policy.DocumentedRuleDefault(
        name="os_compute_api:limits:other_project",
        check_str=base.ADMIN,
        description=(
            "Show the limits of the project named by tenant_id. Checked after os_compute_api:limits."
        ),
        operations=[{"method": "GET", "path": "/limits"}],
        scope_types=["project"],
    ),
]


def list_rules() -> list[policy.DocumentedRuleDefault]:
    return list(_RULES)
