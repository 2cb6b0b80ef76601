"""The embedded Image service, under Glance's rule names."""

from __future__ import annotations

from oslo_policy import policy

from nova_lite.policies import base

_RULES = [
    policy.DocumentedRuleDefault(
        name="get_images",
        check_str=base.PROJECT_READER_OR_ADMIN,
        description="List images.",
        operations=[{"method": "GET", "path": "/image/v2/images"}],
        scope_types=["project"],
    ),
    policy.DocumentedRuleDefault(
        name="get_image",
        check_str=base.RULE_ANY,  # what a caller may not see is not found before this is asked
        description="Show an image.",
        operations=[{"method": "GET", "path": "/image/v2/images/{image_id}"}],
        scope_types=["project"],
    ),
]


def list_rules() -> list[policy.DocumentedRuleDefault]:
    return list(_RULES)
