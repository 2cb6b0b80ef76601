"""Policy of pause and unpause."""

from __future__ import annotations

from oslo_policy import policy

from nova_lite.policies import base

_RULES = [
    policy.DocumentedRuleDefault(
        name="os_compute_api:os-pause-server:pause",
        check_str=base.PROJECT_MEMBER_OR_ADMIN,
        description="Freeze a server's virtual CPUs; its memory stays.",
        operations=[{"method": "POST", "path": "/servers/{server_id}/action (pause)"}],
        scope_types=["project"],
    ),
    policy.DocumentedRuleDefault(
        name="os_compute_api:os-pause-server:unpause",
        check_str=base.PROJECT_MEMBER_OR_ADMIN,
        description="Let a paused server run on.",
        operations=[{"method": "POST", "path": "/servers/{server_id}/action (unpause)"}],
        scope_types=["project"],
    ),
]


def list_rules() -> list[policy.RuleDefault]:
    return list(_RULES)
