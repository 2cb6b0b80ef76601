"""Policy of images of servers."""

from __future__ import annotations

from typing import Any

from oslo_policy import policy

from nova_lite.policies import base

_OPERATIONS: Any = [{"method": "POST", "path": "/servers/{server_id}/action (createImage)"}]
_RULES = [
    policy.DocumentedRuleDefault(
        name="os_compute_api:servers:create_image",
        check_str=base.PROJECT_MEMBER_OR_ADMIN,
        description="Make an image of a server's root disk.",
        operations=_OPERATIONS,
        scope_types=["project"],
    ),
    policy.DocumentedRuleDefault(
        name="os_compute_api:servers:create_image:allow_volume_backed",
        check_str=base.PROJECT_MEMBER_OR_ADMIN,
        description="Make an image of a server whose root disk is a volume.",
        operations=_OPERATIONS,
        scope_types=["project"],
    ),
    policy.DocumentedRuleDefault(
        name="os_compute_api:os-create-backup",
        check_str=base.PROJECT_MEMBER_OR_ADMIN,
        description="Make a backup of a server and remove older ones.",
        operations=[{"method": "POST", "path": "/servers/{server_id}/action (createBackup)"}],
        scope_types=["project"],
    ),
]


def list_rules() -> list[policy.RuleDefault]:
    return list(_RULES)
