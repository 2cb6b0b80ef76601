"""Policy of os-instance-actions, and of 3.x operations, which show the same journal."""

from __future__ import annotations

from oslo_policy import policy

from nova_lite.policies import base

_SHOW: policy.Operation = {"method": "GET", "path": "/servers/{server_id}/os-instance-actions/{request_id}"}

_RULES = [
    policy.DocumentedRuleDefault(
        name="os_compute_api:os-instance-actions:list",
        check_str=base.PROJECT_READER_OR_ADMIN,
        description="List what was done to a server.",
        operations=[{"method": "GET", "path": "/servers/{server_id}/os-instance-actions"}],
        scope_types=["project"],
    ),
    policy.DocumentedRuleDefault(
        name="os_compute_api:os-instance-actions:show",
        check_str=base.PROJECT_READER_OR_ADMIN,
        description="Show one action on a server. In 3.x also: show an operation.",
        operations=[_SHOW, {"method": "GET", "path": "/operations/{operation_id}"}],
        scope_types=["project"],
    ),
    policy.DocumentedRuleDefault(
        name="os_compute_api:os-instance-actions:events",
        check_str=base.ADMIN,
        description="""Show all of an action's events.

Asked only after os_compute_api:os-instance-actions:show has passed. Before 2.51 nobody else sees
events at all; from 2.51 everyone sees them, and this rule guards ``traceback``; from 2.62 also
the name of the ``host``.
""",
        operations=[_SHOW],
        scope_types=["project"],
    ),
    policy.DocumentedRuleDefault(
        name="os_compute_api:os-instance-actions:events:details",
        check_str=base.ADMIN,
        description="""Show the ``details`` of an action's events (from 2.84).

They help a user to see whether it is worth trying again, and may tell something about the host.
""",
        operations=[_SHOW],
        scope_types=["project"],
    ),
]


def list_rules() -> list[policy.RuleDefault]:
    return list(_RULES)
