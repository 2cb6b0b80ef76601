"""The personas that every other rule is built from, under Nova's names: existing policy files keep working.

A rule module writes ``base.PROJECT_READER_OR_ADMIN`` and never a check string of its own,
unless no persona fits. ``is_admin`` is true for whoever passes ``context_is_admin``.
"""

from __future__ import annotations

from collections.abc import Mapping

from oslo_policy import policy

ADMIN = "rule:context_is_admin"
PROJECT_MANAGER_OR_ADMIN = "rule:project_manager_or_admin"
PROJECT_MEMBER_OR_ADMIN = "rule:project_member_or_admin"
PROJECT_READER_OR_ADMIN = "rule:project_reader_or_admin"
SERVICE_ROLE = "rule:service_or_admin"
RULE_ANY = "@"  # every authenticated caller
RULE_NOBODY = "!"

# Legacy names. No default here uses them; files written for older releases of Nova do.
RULE_ADMIN_OR_OWNER = "rule:admin_or_owner"
RULE_ADMIN_API = "rule:admin_api"

_RULES = [
    policy.RuleDefault(
        "context_is_admin",
        "role:admin",
        "Who counts as an administrator: passes every administrative rule and sees all projects.",
    ),
    policy.RuleDefault(
        "admin_or_owner",
        "is_admin:True or project_id:%(project_id)s",
        "Legacy: an administrator, or anyone in the project that owns the resource, whatever the role.",
    ),
    policy.RuleDefault(
        "admin_api",
        "is_admin:True",
        "Legacy: an administrator.",
    ),
    policy.RuleDefault(
        "project_manager_api",
        "role:manager and project_id:%(project_id)s",
        "A manager of the project that owns the resource.",
    ),
    policy.RuleDefault(
        "project_member_api",
        "role:member and project_id:%(project_id)s",
        "A member of the project that owns the resource: may change it.",
    ),
    policy.RuleDefault(
        "project_reader_api",
        "role:reader and project_id:%(project_id)s",
        "A reader of the project that owns the resource: may look at it.",
    ),
    policy.RuleDefault(
        "service_api",
        "role:service",
        "Another service of the cloud.",
    ),
    policy.RuleDefault(
        "project_manager_or_admin",
        "rule:project_manager_api or rule:context_is_admin",
        "A manager of the owning project, or an administrator.",
    ),
    policy.RuleDefault(
        "project_member_or_admin",
        "rule:project_member_api or rule:context_is_admin",
        "A member of the owning project, or an administrator.",
    ),
    policy.RuleDefault(
        "project_reader_or_admin",
        "rule:project_reader_api or rule:context_is_admin",
        "A reader of the owning project, or an administrator.",
    ),
    policy.RuleDefault(
        "service_or_admin",
        "rule:service_api or rule:context_is_admin",
        "Another service of the cloud, or an administrator.",
    ),
]


def list_rules() -> list[policy.RuleDefault]:
    """The personas, in the order the sample file shows them."""
    return list(_RULES)


def documented(rules: Mapping[str, tuple[str, str, str, str]]) -> list[policy.DocumentedRuleDefault]:
    """Rules of a project's resources, by name: check string, description, method and path."""
    return [
        policy.DocumentedRuleDefault(
            name=name,
            check_str=check,
            description=description,
            operations=[{"method": method, "path": path}],
            scope_types=["project"],
        )
        for name, (check, description, method, path) in rules.items()
    ]
