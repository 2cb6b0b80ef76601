"""Policy of the volumes of servers."""

from __future__ import annotations

from oslo_policy import policy

from nova_lite.policies import base

_ROOT = "os_compute_api:os-volumes-attachments"
_ALL = "/servers/{server_id}/os-volume_attachments"
_ONE = "/servers/{server_id}/os-volume_attachments/{volume_id}"


def _rule(name: str, check_str: str, description: str, method: str, path: str) -> policy.DocumentedRuleDefault:
    return policy.DocumentedRuleDefault(
        name=f"{_ROOT}:{name}",
        check_str=check_str,
        description=description,
        operations=[{"method": method, "path": path}],
        scope_types=["project"],
    )


_RULES = [
    _rule("index", base.PROJECT_READER_OR_ADMIN, "List the volumes of a server.", "GET", _ALL),
    _rule("create", base.PROJECT_MEMBER_OR_ADMIN, "Attach a volume to a server.", "POST", _ALL),
    _rule("show", base.PROJECT_READER_OR_ADMIN, "Show one volume of a server.", "GET", _ONE),
    _rule("update", base.PROJECT_MEMBER_OR_ADMIN, "Change whether a volume goes with its server.", "PUT", _ONE),
    _rule("swap", base.SERVICE_ROLE, "Put another volume in place of one that is being migrated.", "PUT", _ONE),
    _rule("delete", base.PROJECT_MEMBER_OR_ADMIN, "Detach a volume from a server.", "DELETE", _ONE),
]


def list_rules() -> list[policy.RuleDefault]:
    return list(_RULES)
