"""Policy of forceDelete and restore."""

from __future__ import annotations

from oslo_policy import policy

from nova_lite.policies import base

_RULES = [
    policy.DocumentedRuleDefault(
        name="os_compute_api:os-deferred-delete:restore",
        check_str=base.PROJECT_MEMBER_OR_ADMIN,
        description="Bring back a server that was deleted and is not reclaimed yet.",
        operations=[{"method": "POST", "path": "/servers/{server_id}/action (restore)"}],
        scope_types=["project"],
    ),
    policy.DocumentedRuleDefault(
        name="os_compute_api:os-deferred-delete:force",
        check_str=base.PROJECT_MEMBER_OR_ADMIN,
        description="Delete a server at once, whatever state it is in.",
        operations=[{"method": "POST", "path": "/servers/{server_id}/action (forceDelete)"}],
        scope_types=["project"],
    ),
]


def list_rules() -> list[policy.RuleDefault]:
    return list(_RULES)
