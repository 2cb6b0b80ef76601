"""Policy of the records of migrations."""

from __future__ import annotations

from oslo_policy import policy

from nova_lite.policies import base

_ROOT = "os_compute_api:os-migrations"


def _rule(name: str, check_str: str, description: str) -> policy.DocumentedRuleDefault:
    return policy.DocumentedRuleDefault(
        name=f"{_ROOT}:{name}",
        check_str=check_str,
        description=description,
        operations=[{"method": "GET", "path": "/os-migrations"}],
        scope_types=["project"],
    )


_RULES = [
    _rule("index", base.PROJECT_MANAGER_OR_ADMIN, "List the migrations of the caller's project."),
    _rule("index:all_projects", base.ADMIN, "List the migrations of every project, or of another one."),
    _rule("index:host", base.ADMIN, "See the hosts in a listing of migrations."),
]


def list_rules() -> list[policy.RuleDefault]:
    return list(_RULES)
