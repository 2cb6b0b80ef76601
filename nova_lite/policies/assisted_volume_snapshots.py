"""Who may have the hypervisor take snapshots of volumes."""

from __future__ import annotations

from oslo_policy import policy

from nova_lite.policies import base

_RULES = [
    policy.DocumentedRuleDefault(
        name="os_compute_api:os-assisted-volume-snapshots:create",
        check_str=base.SERVICE_ROLE,
        description="Have the hypervisor take a snapshot of a volume.",
        operations=[{"method": "POST", "path": "/os-assisted-volume-snapshots"}],
        scope_types=["project"],
    ),
    policy.DocumentedRuleDefault(
        name="os_compute_api:os-assisted-volume-snapshots:delete",
        check_str=base.SERVICE_ROLE,
        description="Have the hypervisor delete a snapshot of a volume.",
        operations=[{"method": "DELETE", "path": "/os-assisted-volume-snapshots/{snapshot_id}"}],
        scope_types=["project"],
    ),
]


def list_rules() -> list[policy.DocumentedRuleDefault]:
    return list(_RULES)
