"""Who may see and manage flavors. Seeing is open to all: an access list hides private flavors instead."""

from __future__ import annotations

from oslo_policy import policy

from nova_lite.policies import base

_RULES = [
    policy.DocumentedRuleDefault(
        name="os_compute_api:flavors:index",
        check_str=base.RULE_ANY,
        description="List flavors. Private flavors are shown only to projects on their access list.",
        operations=[{"method": "GET", "path": "/flavors"}],
        scope_types=["project"],
    ),
    policy.DocumentedRuleDefault(
        name="os_compute_api:flavors:detail",
        check_str=base.RULE_ANY,
        description=(
            "List flavors with details. Private flavors are shown only to projects on their access list."
        ),
        operations=[{"method": "GET", "path": "/flavors/detail"}],
        scope_types=["project"],
    ),
    policy.DocumentedRuleDefault(
        name="os_compute_api:flavors:show",
        check_str=base.RULE_ANY,
        description=(
            "Show a flavor. A private flavor does not exist for projects that are not on its access list."
        ),
        operations=[{"method": "GET", "path": "/flavors/{flavor_id}"}],
        scope_types=["project"],
    ),
    policy.DocumentedRuleDefault(
        name="os_compute_api:os-flavor-manage:create",
        check_str=base.ADMIN,
        description="Create a flavor.",
        operations=[{"method": "POST", "path": "/flavors"}],
        scope_types=["project"],
    ),
    policy.DocumentedRuleDefault(
        name="os_compute_api:os-flavor-manage:update",
        check_str=base.ADMIN,
        description="Change the description of a flavor.",
        operations=[{"method": "PUT", "path": "/flavors/{flavor_id}"}],
        scope_types=["project"],
    ),
    policy.DocumentedRuleDefault(
        name="os_compute_api:os-flavor-manage:delete",
        check_str=base.ADMIN,
        description="Delete a flavor. Servers built from it keep their own copy.",
        operations=[{"method": "DELETE", "path": "/flavors/{flavor_id}"}],
        scope_types=["project"],
    ),
]


def list_rules() -> list[policy.DocumentedRuleDefault]:
    return list(_RULES)
