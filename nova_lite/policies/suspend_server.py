"""Policy of suspend and resume."""

from __future__ import annotations

from oslo_policy import policy

from nova_lite.policies import base

_RULES = [
    policy.DocumentedRuleDefault(
        name="os_compute_api:os-suspend-server:suspend",
        check_str=base.PROJECT_MEMBER_OR_ADMIN,
        description="Save a server's memory on disk and free the host of it.",
        operations=[{"method": "POST", "path": "/servers/{server_id}/action (suspend)"}],
        scope_types=["project"],
    ),
    policy.DocumentedRuleDefault(
        name="os_compute_api:os-suspend-server:resume",
        check_str=base.PROJECT_MEMBER_OR_ADMIN,
        description="Let a suspended server go on where it was.",
        operations=[{"method": "POST", "path": "/servers/{server_id}/action (resume)"}],
        scope_types=["project"],
    ),
]


def list_rules() -> list[policy.RuleDefault]:
    return list(_RULES)
