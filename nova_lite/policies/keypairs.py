"""Who may see and manage keypairs. They belong to a user, not to a project."""

from __future__ import annotations

from oslo_policy import policy

from nova_lite.policies import base

_OWN_OR_ADMIN = f"({base.ADMIN}) or user_id:%(user_id)s"

_RULES = [
    policy.DocumentedRuleDefault(
        name="os_compute_api:os-keypairs:index",
        check_str=_OWN_OR_ADMIN,
        description="List keypairs; from microversion 2.10 on those of another user with user_id.",
        operations=[{"method": "GET", "path": "/os-keypairs"}],
        scope_types=["project"],
    ),
    policy.DocumentedRuleDefault(
        name="os_compute_api:os-keypairs:create",
        check_str=_OWN_OR_ADMIN,
        description=("Create or import a keypair; from microversion 2.10 on for another user with user_id."),
        operations=[{"method": "POST", "path": "/os-keypairs"}],
        scope_types=["project"],
    ),
    policy.DocumentedRuleDefault(
        name="os_compute_api:os-keypairs:show",
        check_str=_OWN_OR_ADMIN,
        description="Show a keypair; from microversion 2.10 on that of another user with user_id.",
        operations=[{"method": "GET", "path": "/os-keypairs/{keypair_name}"}],
        scope_types=["project"],
    ),
    policy.DocumentedRuleDefault(
        name="os_compute_api:os-keypairs:delete",
        check_str=_OWN_OR_ADMIN,
        description="Delete a keypair; from microversion 2.10 on that of another user with user_id.",
        operations=[{"method": "DELETE", "path": "/os-keypairs/{keypair_name}"}],
        scope_types=["project"],
    ),
]


def list_rules() -> list[policy.DocumentedRuleDefault]:
    return list(_RULES)
