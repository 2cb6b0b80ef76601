"""Policy of rebuild."""

from __future__ import annotations

from oslo_policy import policy

from nova_lite.policies import base

_RULES = [
    policy.DocumentedRuleDefault(
        name="os_compute_api:servers:rebuild",
        check_str=base.PROJECT_MEMBER_OR_ADMIN,
        description="Let a server begin anew from an image.",
        operations=[{"method": "POST", "path": "/servers/{server_id}/action (rebuild)"}],
        scope_types=["project"],
    ),
    policy.DocumentedRuleDefault(
        name="os_compute_api:servers:rebuild:trusted_certs",
        check_str=base.PROJECT_MEMBER_OR_ADMIN,
        description="Rebuild a server with the ids of trusted image certificates (from 2.63).",
        operations=[{"method": "POST", "path": "/servers/{server_id}/action (rebuild)"}],
        scope_types=["project"],
    ),
]


def list_rules() -> list[policy.RuleDefault]:
    return list(_RULES)
