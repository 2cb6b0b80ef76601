"""Who may see and manage a project's server groups."""

from __future__ import annotations

from oslo_policy import policy

from nova_lite.policies import base

_LIST = "/os-server-groups"
_ITEM = "/os-server-groups/{server_group_id}"


def _rule(name: str, check_str: str, description: str, method: str, path: str) -> policy.DocumentedRuleDefault:
    return policy.DocumentedRuleDefault(
        name=f"os_compute_api:os-server-groups:{name}",
        check_str=check_str,
        description=description,
        operations=[{"method": method, "path": path}],
        scope_types=["project"],
    )


_RULES = [
    _rule("create", base.PROJECT_MEMBER_OR_ADMIN, "Create a server group.", "POST", _LIST),
    _rule("delete", base.PROJECT_MEMBER_OR_ADMIN, "Delete a server group; its servers stay.", "DELETE", _ITEM),
    _rule("index", base.PROJECT_READER_OR_ADMIN, "List the project's server groups.", "GET", _LIST),
    _rule("index:all_projects", base.ADMIN, "List the server groups of every project (all_projects).", "GET", _LIST),
    _rule("show", base.PROJECT_READER_OR_ADMIN, "Show a server group.", "GET", _ITEM),
]


def list_rules() -> list[policy.DocumentedRuleDefault]:
    return list(_RULES)
