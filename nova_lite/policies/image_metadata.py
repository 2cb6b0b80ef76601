"""Who may see and write the properties of an image."""

from __future__ import annotations

from oslo_policy import policy

from nova_lite.policies import base

_RULES = [
    policy.DocumentedRuleDefault(
        name="os_compute_api:image-metadata:index",
        check_str=base.RULE_ANY,
        description="List the properties of an image (microversions 2.1 to 2.38).",
        operations=[{"method": "GET", "path": "/images/{image_id}/metadata"}],
        scope_types=["project"],
    ),
    policy.DocumentedRuleDefault(
        name="os_compute_api:image-metadata:show",
        check_str=base.RULE_ANY,
        description="Show one property of an image (microversions 2.1 to 2.38).",
        operations=[{"method": "GET", "path": "/images/{image_id}/metadata/{key}"}],
        scope_types=["project"],
    ),
    policy.DocumentedRuleDefault(
        name="os_compute_api:image-metadata:create",
        check_str=base.PROJECT_MEMBER_OR_ADMIN,
        description="Add properties to an image (microversions 2.1 to 2.38).",
        operations=[{"method": "POST", "path": "/images/{image_id}/metadata"}],
        scope_types=["project"],
    ),
    policy.DocumentedRuleDefault(
        name="os_compute_api:image-metadata:update_all",
        check_str=base.PROJECT_MEMBER_OR_ADMIN,
        description="Replace the properties of an image (microversions 2.1 to 2.38).",
        operations=[{"method": "PUT", "path": "/images/{image_id}/metadata"}],
        scope_types=["project"],
    ),
    policy.DocumentedRuleDefault(
        name="os_compute_api:image-metadata:update",
        check_str=base.PROJECT_MEMBER_OR_ADMIN,
        description="Write one property of an image (microversions 2.1 to 2.38).",
        operations=[{"method": "PUT", "path": "/images/{image_id}/metadata/{key}"}],
        scope_types=["project"],
    ),
    policy.DocumentedRuleDefault(
        name="os_compute_api:image-metadata:delete",
        check_str=base.PROJECT_MEMBER_OR_ADMIN,
        description="Remove one property of an image (microversions 2.1 to 2.38).",
        operations=[{"method": "DELETE", "path": "/images/{image_id}/metadata/{key}"}],
        scope_types=["project"],
    ),
]


def list_rules() -> list[policy.DocumentedRuleDefault]:
    return list(_RULES)
