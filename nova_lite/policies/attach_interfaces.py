"""Policy of os-interface, the network cards of a server."""

from __future__ import annotations

from oslo_policy import policy

from nova_lite.policies import base

_RULES = [
    policy.DocumentedRuleDefault(
        name="os_compute_api:os-attach-interfaces:list",
        check_str=base.PROJECT_READER_OR_ADMIN,
        description="List the network cards of a server.",
        operations=[{"method": "GET", "path": "/servers/{server_id}/os-interface"}],
        scope_types=["project"],
    ),
    policy.DocumentedRuleDefault(
        name="os_compute_api:os-attach-interfaces:show",
        check_str=base.PROJECT_READER_OR_ADMIN,
        description="Show a network card of a server.",
        operations=[{"method": "GET", "path": "/servers/{server_id}/os-interface/{port_id}"}],
        scope_types=["project"],
    ),
    policy.DocumentedRuleDefault(
        name="os_compute_api:os-attach-interfaces:create",
        check_str=base.PROJECT_MEMBER_OR_ADMIN,
        description="Give a server another network card.",
        operations=[{"method": "POST", "path": "/servers/{server_id}/os-interface"}],
        scope_types=["project"],
    ),
    policy.DocumentedRuleDefault(
        name="os_compute_api:os-attach-interfaces:delete",
        check_str=base.PROJECT_MEMBER_OR_ADMIN,
        description="Take a network card from a server.",
        operations=[{"method": "DELETE", "path": "/servers/{server_id}/os-interface/{port_id}"}],
        scope_types=["project"],
    ),
]


def list_rules() -> list[policy.RuleDefault]:
    return list(_RULES)
