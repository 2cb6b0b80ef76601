"""Who may see and delete images. Seeing is open to all: visibility hides the images of other projects instead."""

from __future__ import annotations

from oslo_policy import policy

from nova_lite.policies import base

_RULES = [
    policy.DocumentedRuleDefault(
        name="os_compute_api:images:index",
        check_str=base.RULE_ANY,
        description="List the images that the caller may boot.",
        operations=[{"method": "GET", "path": "/images"}],
        scope_types=["project"],
    ),
    policy.DocumentedRuleDefault(
        name="os_compute_api:images:detail",
        check_str=base.RULE_ANY,
        description="List the images that the caller may boot, with details.",
        operations=[{"method": "GET", "path": "/images/detail"}],
        scope_types=["project"],
    ),
    policy.DocumentedRuleDefault(
        name="os_compute_api:images:show",
        check_str=base.RULE_ANY,
        description="Show an image.",
        operations=[{"method": "GET", "path": "/images/{image_id}"}],
        scope_types=["project"],
    ),
    policy.DocumentedRuleDefault(
        name="os_compute_api:images:delete",
        check_str=base.PROJECT_MEMBER_OR_ADMIN,
        description="Delete an image.",
        operations=[{"method": "DELETE", "path": "/images/{image_id}"}],
        scope_types=["project"],
    ),
]


def list_rules() -> list[policy.DocumentedRuleDefault]:
    return list(_RULES)
