"""The embedded Network service, under Neutron's rule names."""

from __future__ import annotations

from oslo_policy import policy

from nova_lite.policies import base

# What a caller may not see is not found before a rule is asked; what is shared is seen in other projects, too.
_SEEN = ("network", "subnet")
_PATHS = {
    "network": "networks",
    "subnet": "subnets",
    "port": "ports",
    "security_group": "security-groups",
    "security_group_rule": "security-group-rules",
    "router": "routers",
    "floatingip": "floatingips",
}
_ADMIN_ONLY = {
    "create_network:shared": ("POST", "networks", "Create a network that every project may use."),
    "create_network:router:external": ("POST", "networks", "Create a network that floating IPs come from."),
    "update_network:shared": ("PUT", "networks/{id}", "Share a network, or share it no longer."),
    "update_network:router:external": ("PUT", "networks/{id}", "Make a network external, or no longer so."),
    "create_floatingip:floating_ip_address": ("POST", "floatingips", "Choose the address of a floating IP."),
    "get_agent": ("GET", "agents", "List agents, of which there are none."),
}
_FREE = {
    "get_extension": ("GET", "extensions", "List extensions."),
    "get_availability_zone": ("GET", "availability_zones", "List availability zones."),
}
_MORE = {
    "add_router_interface": ("PUT", "routers/{id}/add_router_interface", "Connect a subnet with a router."),
    "remove_router_interface": ("PUT", "routers/{id}/remove_router_interface", "Take a subnet from a router."),
}


def _rule(name: str, check: str, description: str, *operations: tuple[str, str]) -> policy.DocumentedRuleDefault:
    return policy.DocumentedRuleDefault(
        name=name,
        check_str=check,
        description=description,
        operations=[{"method": method, "path": f"/network/v2.0/{path}"} for method, path in operations],
        scope_types=["project"],
    )


def _of(kind: str, path: str) -> list[policy.RuleDefault]:
    words, one = kind.replace("_", " ").replace("floatingip", "floating IP"), f"{path}/{{id}}"
    reading = base.RULE_ANY if kind in _SEEN else base.PROJECT_READER_OR_ADMIN
    writing = base.PROJECT_MEMBER_OR_ADMIN
    rules = [
        _rule(f"get_{kind}", reading, f"List and show: {words}.", ("GET", path), ("GET", one)),
        _rule(f"create_{kind}", writing, f"Create: {words}.", ("POST", path)),
        _rule(f"update_{kind}", writing, f"Update: {words}.", ("PUT", one)),
        _rule(f"delete_{kind}", writing, f"Delete: {words}.", ("DELETE", one)),
    ]
    return [rule for rule in rules if rule.name != "update_security_group_rule"]  # rules are not changed


_TABLES = ((_ADMIN_ONLY, base.ADMIN), (_FREE, base.RULE_ANY), (_MORE, base.PROJECT_MEMBER_OR_ADMIN))


def list_rules() -> list[policy.RuleDefault]:
    rules = [rule for kind, path in _PATHS.items() for rule in _of(kind, path)]
    for table, check in _TABLES:
        rules += [_rule(name, check, text, (method, path)) for name, (method, path, text) in table.items()]
    quota = _rule("get_quota", base.PROJECT_READER_OR_ADMIN, "Show quotas.", ("GET", "quotas/{project_id}"))
    return [*rules, quota]
