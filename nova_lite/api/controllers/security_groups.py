"""The security groups of a server."""

from __future__ import annotations

from typing import Any, TypedDict

from nova_lite import objects, schemas
from nova_lite.api import validation, wsgi

_PATH, _PATH_3 = "/servers/{server_id}/os-security-groups", "/servers/{server_id}/security-groups"


class NameParams(TypedDict):
    name: str


class SecurityGroupsController(wsgi.Controller):
    resource = "security_groups"
    resource_obj_cls = objects.Instance

    @wsgi.route("GET", _PATH, v3=_PATH_3, policy="os_compute_api:os-security-groups:list")
    @wsgi.version(base="2.1")
    @wsgi.response(200)
    @wsgi.expected_errors(404)
    @validation.schema(schemas.security_groups.index)
    def index(self, req: wsgi.Request, obj: objects.Instance, params: wsgi.NoParams) -> dict[str, Any]:
        """List the security groups of a server, with their rules.

        In 2.x only rules of what may come in, in the form that they had before Neutron.
        """
        groups = self.compute.groups_of_server(obj)
        names = {group.id: group for group in self.compute.groups_named_in(groups)}
        return {"security_groups": [view(group, names) for group in groups]}

    @wsgi.action("addSecurityGroup", v3="add_security_group", policy="os_compute_api:os-security-groups:add")
    @wsgi.version(base="2.1")
    @wsgi.response(202)
    @wsgi.expected_errors(400, 404, 503)
    @validation.schema(schemas.security_groups.add)
    def add(self, req: wsgi.Request, obj: objects.Instance, params: NameParams) -> None:
        """Put all network cards of a server into a security group, given by name or id.

        Its rules are in force when the answer comes. 404 for a group that the project does not have, and for a server
        without cards.
        """
        self.compute.add_security_group(req.context, obj, params["name"])

    @wsgi.action("removeSecurityGroup", v3="remove_security_group", policy="os_compute_api:os-security-groups:remove")
    @wsgi.version(base="2.1")
    @wsgi.response(202)
    @wsgi.expected_errors(400, 404, 503)
    @validation.schema(schemas.security_groups.remove)
    def remove(self, req: wsgi.Request, obj: objects.Instance, params: NameParams) -> None:
        """Take all network cards of a server out of a security group, given by name or id.

        404 for a group that none of them is in. A server in no group is reached by nobody and reaches nobody.
        """
        self.compute.remove_security_group(req.context, obj, params["name"])


def view(group: objects.SecurityGroup, names: dict[str, objects.SecurityGroup]) -> dict[str, Any]:
    return {
        "id": group.id,
        "name": group.name,
        "description": group.description,
        "project_id": group.project_id,
        "rules": [vars(rule) for rule in group.rules],
        "rules_into": [old_rule(rule, names) for rule in group.rules if rule.direction == "ingress"],
    }


def old_rule(rule: objects.SecurityGroupRule, names: dict[str, objects.SecurityGroup]) -> dict[str, Any]:
    """As nova-network had them: all ports of TCP and UDP are named, everything else without ports has -1."""
    low, high = rule.port_range_min, rule.port_range_max
    if rule.protocol is not None and low is None:
        low, high = (1, 65535) if rule.protocol in ("tcp", "udp") else (-1, -1)
    elif rule.protocol == "icmp" and high is None:
        high = -1
    remote = names.get(rule.remote_group_id or "")
    anywhere = "::/0" if rule.ethertype == "IPv6" else "0.0.0.0/0"
    return {
        "id": rule.id,
        "parent_group_id": rule.security_group_id,
        "ip_protocol": rule.protocol,
        "from_port": low,
        "to_port": high,
        "ip_range": {} if rule.remote_group_id else {"cidr": rule.remote_ip_prefix or anywhere},
        "group": {"name": remote.name, "tenant_id": remote.project_id} if remote else {},
    }
