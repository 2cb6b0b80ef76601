"""Policy of the event stream of 3.x. Nova has nothing like it; the names follow its custom."""

from __future__ import annotations

from oslo_policy import policy

from nova_lite.policies import base

_OPERATION: policy.Operation = {"method": "GET", "path": "/events"}

_RULES = [
    policy.DocumentedRuleDefault(
        name="os_compute_api:os-events:index",
        check_str=base.PROJECT_READER_OR_ADMIN,
        description="Follow what happens to the servers of one's own project (3.x).",
        operations=[_OPERATION],
        scope_types=["project"],
    ),
    policy.DocumentedRuleDefault(
        name="os_compute_api:os-events:index:all_projects",
        check_str=base.ADMIN,
        description="Follow what happens to the servers of all projects (3.x).",
        operations=[_OPERATION],
        scope_types=["project"],
    ),
]


def list_rules() -> list[policy.RuleDefault]:
    return list(_RULES)
