"""Policy of trigger_crash_dump."""

from __future__ import annotations

from oslo_policy import policy

from nova_lite.policies import base

_RULES = [
    policy.DocumentedRuleDefault(
        name="os_compute_api:servers:trigger_crash_dump",
        check_str=base.PROJECT_MEMBER_OR_ADMIN,
        description="Trigger a crash dump in a server (from 2.17).",
        operations=[{"method": "POST", "path": "/servers/{server_id}/action (trigger_crash_dump)"}],
        scope_types=["project"],
    ),
]


def list_rules() -> list[policy.RuleDefault]:
    return list(_RULES)
