"""Who may see the log of usage audits."""

from __future__ import annotations

from oslo_policy import policy

from nova_lite.policies import base

_RULES = [
    policy.DocumentedRuleDefault(
        name="os_compute_api:os-instance-usage-audit-log:list",
        check_str=base.ADMIN,
        description="Show the usage audits of the last complete period.",
        operations=[{"method": "GET", "path": "/os-instance_usage_audit_log"}],
        scope_types=["project"],
    ),
    policy.DocumentedRuleDefault(
        name="os_compute_api:os-instance-usage-audit-log:show",
        check_str=base.ADMIN,
        description="Show the usage audits of the last complete period before a time.",
        operations=[{"method": "GET", "path": "/os-instance_usage_audit_log/{before_timestamp}"}],
        scope_types=["project"],
    ),
]


def list_rules() -> list[policy.DocumentedRuleDefault]:
    return list(_RULES)
