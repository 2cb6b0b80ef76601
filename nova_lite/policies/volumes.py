"""Policy of Nova's view of volumes and their snapshots."""

from __future__ import annotations

from oslo_policy import policy

from nova_lite.policies import base

_ROOT = "os_compute_api:os-volumes"
_READER, _MEMBER = base.PROJECT_READER_OR_ADMIN, base.PROJECT_MEMBER_OR_ADMIN
_RULES = {
    f"{_ROOT}:list": (_READER, "List volumes (until 2.35).", "GET", "/os-volumes"),
    f"{_ROOT}:create": (_MEMBER, "Make a volume (until 2.35).", "POST", "/os-volumes"),
    f"{_ROOT}:detail": (_READER, "List volumes with details (until 2.35).", "GET", "/os-volumes/detail"),
    f"{_ROOT}:show": (_READER, "Show a volume (until 2.35).", "GET", "/os-volumes/{volume_id}"),
    f"{_ROOT}:delete": (_MEMBER, "Delete a volume (until 2.35).", "DELETE", "/os-volumes/{volume_id}"),
    f"{_ROOT}:snapshots:list": (_READER, "List snapshots (until 2.35).", "GET", "/os-snapshots"),
    f"{_ROOT}:snapshots:create": (_MEMBER, "Make a snapshot (until 2.35).", "POST", "/os-snapshots"),
    f"{_ROOT}:snapshots:detail": (
        _READER, "List snapshots with details (until 2.35).", "GET", "/os-snapshots/detail"
    ),
    f"{_ROOT}:snapshots:show": (_READER, "Show a snapshot (until 2.35).", "GET", "/os-snapshots/{snapshot_id}"),
    f"{_ROOT}:snapshots:delete": (
        _MEMBER, "Delete a snapshot (until 2.35).", "DELETE", "/os-snapshots/{snapshot_id}"
    ),
}  # fmt: skip


def list_rules() -> list[policy.DocumentedRuleDefault]:
    return base.documented(_RULES)
