"""Policy of lock and unlock."""

from __future__ import annotations

from oslo_policy import policy

from nova_lite.policies import base

_RULES = [
    policy.DocumentedRuleDefault(
        name="os_compute_api:os-lock-server:lock",
        check_str=base.PROJECT_MEMBER_OR_ADMIN,
        description="Lock a server against changes by members of its project.",
        operations=[{"method": "POST", "path": "/servers/{server_id}/action (lock)"}],
        scope_types=["project"],
    ),
    policy.DocumentedRuleDefault(
        name="os_compute_api:os-lock-server:unlock",
        check_str=base.PROJECT_MEMBER_OR_ADMIN,
        description="Unlock a server.",
        operations=[{"method": "POST", "path": "/servers/{server_id}/action (unlock)"}],
        scope_types=["project"],
    ),
    policy.DocumentedRuleDefault(
        name="os_compute_api:os-lock-server:unlock:unlock_override",
        check_str=base.ADMIN,
        description="Unlock a server that someone else locked, for example an administrator. "
        "Asked only after os_compute_api:os-lock-server:unlock has passed.",
        operations=[{"method": "POST", "path": "/servers/{server_id}/action (unlock)"}],
        scope_types=["project"],
    ),
]


def list_rules() -> list[policy.RuleDefault]:
    return list(_RULES)
