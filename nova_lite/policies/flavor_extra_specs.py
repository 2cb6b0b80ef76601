"""Who may see and set the extra specs of a flavor."""

from __future__ import annotations

from oslo_policy import policy

from nova_lite.policies import base

_RULES = [
    policy.DocumentedRuleDefault(
        name="os_compute_api:os-flavor-extra-specs:index",
        check_str=base.PROJECT_READER_OR_ADMIN,
        description=(
            "List the extra specs of a flavor. The same rule decides whether flavors show "
            "their extra specs from microversion 2.61 on."
        ),
        operations=[
            {"method": "GET", "path": "/flavors/{flavor_id}/os-extra_specs"},
            {"method": "POST", "path": "/flavors"},
            {"method": "GET", "path": "/flavors/detail"},
            {"method": "GET", "path": "/flavors/{flavor_id}"},
            {"method": "PUT", "path": "/flavors/{flavor_id}"},
        ],
        scope_types=["project"],
    ),
    policy.DocumentedRuleDefault(
        name="os_compute_api:os-flavor-extra-specs:show",
        check_str=base.PROJECT_READER_OR_ADMIN,
        description="Show one extra spec of a flavor.",
        operations=[{"method": "GET", "path": "/flavors/{flavor_id}/os-extra_specs/{flavor_extra_spec_key}"}],
        scope_types=["project"],
    ),
    policy.DocumentedRuleDefault(
        name="os_compute_api:os-flavor-extra-specs:create",
        check_str=base.ADMIN,
        description="Add extra specs to a flavor.",
        operations=[{"method": "POST", "path": "/flavors/{flavor_id}/os-extra_specs"}],
        scope_types=["project"],
    ),
    policy.DocumentedRuleDefault(
        name="os_compute_api:os-flavor-extra-specs:update",
        check_str=base.ADMIN,
        description="Set one extra spec of a flavor.",
        operations=[{"method": "PUT", "path": "/flavors/{flavor_id}/os-extra_specs/{flavor_extra_spec_key}"}],
        scope_types=["project"],
    ),
    policy.DocumentedRuleDefault(
        name="os_compute_api:os-flavor-extra-specs:delete",
        check_str=base.ADMIN,
        description="Remove one extra spec of a flavor.",
        operations=[
            {"method": "DELETE", "path": "/flavors/{flavor_id}/os-extra_specs/{flavor_extra_spec_key}"}
        ],
        scope_types=["project"],
    ),
]


def list_rules() -> list[policy.DocumentedRuleDefault]:
    return list(_RULES)
