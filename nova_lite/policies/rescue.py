"""Policy of rescue and unrescue."""

from __future__ import annotations

from oslo_policy import policy

from nova_lite.policies import base

_RULES = [
    policy.DocumentedRuleDefault(
        name="os_compute_api:os-rescue",
        check_str=base.PROJECT_MEMBER_OR_ADMIN,
        description="Boot a server from another image, with its own disks beside that.",
        operations=[{"method": "POST", "path": "/servers/{server_id}/action (rescue)"}],
        scope_types=["project"],
    ),
    policy.DocumentedRuleDefault(
        name="os_compute_api:os-unrescue",
        check_str=base.PROJECT_MEMBER_OR_ADMIN,
        description="Boot a rescued server as its own again.",
        operations=[{"method": "POST", "path": "/servers/{server_id}/action (unrescue)"}],
        scope_types=["project"],
    ),
]


def list_rules() -> list[policy.RuleDefault]:
    return list(_RULES)
