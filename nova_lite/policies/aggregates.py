"""Who may see and manage host aggregates."""

from __future__ import annotations

from oslo_policy import policy

from nova_lite.policies import base

_ACTION = "/os-aggregates/{aggregate_id}/action"


def _rule(name: str, description: str, method: str, path: str) -> policy.DocumentedRuleDefault:
    return policy.DocumentedRuleDefault(
        name=name,
        check_str=base.ADMIN,
        description=description,
        operations=[{"method": method, "path": path}],
        scope_types=["project"],
    )


_RULES = [
    _rule(
        "os_compute_api:os-aggregates:set_metadata",
        "Change the metadata of an aggregate.",
        "POST",
        f"{_ACTION} (set_metadata)",
    ),
    _rule("os_compute_api:os-aggregates:add_host", "Put a host into an aggregate.", "POST", f"{_ACTION} (add_host)"),
    _rule("os_compute_api:os-aggregates:create", "Create an aggregate.", "POST", "/os-aggregates"),
    _rule(
        "os_compute_api:os-aggregates:remove_host",
        "Take a host out of an aggregate.",
        "POST",
        f"{_ACTION} (remove_host)",
    ),
    _rule(
        "os_compute_api:os-aggregates:update",
        "Change the name or the availability zone of an aggregate.",
        "PUT",
        "/os-aggregates/{aggregate_id}",
    ),
    _rule("os_compute_api:os-aggregates:index", "List aggregates.", "GET", "/os-aggregates"),
    _rule("os_compute_api:os-aggregates:delete", "Delete an aggregate.", "DELETE", "/os-aggregates/{aggregate_id}"),
    _rule("os_compute_api:os-aggregates:show", "Show an aggregate.", "GET", "/os-aggregates/{aggregate_id}"),
    _rule(
        "compute:aggregates:images",
        "Have images cached on the hosts of an aggregate.",
        "POST",
        "/os-aggregates/{aggregate_id}/images",
    ),
]


def list_rules() -> list[policy.DocumentedRuleDefault]:
    return list(_RULES)
