"""Security groups and their rules."""

from __future__ import annotations

from typing import Any, TypedDict

from nova_lite import objects
from nova_lite.api import validation, wsgi
from nova_lite.embedded.network import formats, views
from nova_lite.embedded.network.listing import Query, answer, chosen
from nova_lite.embedded.network.networks_controller import FORMATS, NetworkServiceController, owner


class GroupValues(TypedDict, total=False):
    name: str
    description: str


class NewGroup(GroupValues, total=False):
    tenant_id: str | None
    project_id: str | None


class RuleValues(TypedDict, total=False):
    security_group_id: str
    direction: str
    ethertype: str | None
    protocol: str | None
    port_range_min: int | None
    port_range_max: int | None
    remote_ip_prefix: str | None
    remote_group_id: str | None
    description: str
    tenant_id: str | None
    project_id: str | None


class SecurityGroupsController(NetworkServiceController):
    @wsgi.route("GET", "/security-groups", policy="get_security_group")
    @wsgi.version(base="2.1")
    @wsgi.response(200)
    @wsgi.expected_errors(400)
    @validation.schema(FORMATS.list_groups)
    def list_groups(self, req: wsgi.Request, obj: None, params: Query) -> dict[str, Any]:
        """List security groups with their rules; each project has one named `default`."""
        found = [views.security_group(one) for one in self.network.list_groups(req.context)]
        return answer(req, "security_groups", found, params, list(formats.GROUP))

    @wsgi.route("POST", "/security-groups", policy="create_security_group")
    @wsgi.version(base="2.1")
    @wsgi.response(201)
    @wsgi.expected_errors(400, 403, 409)
    @validation.schema(FORMATS.create_group)
    def create_group(self, req: wsgi.Request, obj: None, params: NewGroup) -> dict[str, Any]:
        """Create a security group that lets everything out and nothing in."""
        project_id = owner(params)
        made = self.network.create_group(req.context, project_id=project_id, **params)  # type: ignore[misc]
        return views.security_group(made)

    @wsgi.route("GET", "/security-group-rules", policy="get_security_group_rule")
    @wsgi.version(base="2.1")
    @wsgi.response(200)
    @wsgi.expected_errors(400)
    @validation.schema(FORMATS.list_rules)
    def list_rules(self, req: wsgi.Request, obj: None, params: Query) -> dict[str, Any]:
        """List the rules of security groups."""
        rules = self.network.list_group_rules(req.context)
        found = [views.security_group_rule(one, one.project_id) for one in rules]
        return answer(req, "security_group_rules", found, params, list(formats.RULE))

    @wsgi.route("POST", "/security-group-rules", policy="create_security_group_rule")
    @wsgi.version(base="2.1")
    @wsgi.response(201)
    @wsgi.expected_errors(400, 403, 404, 409, 503)
    @validation.schema(FORMATS.create_rule)
    def create_rule(self, req: wsgi.Request, obj: None, params: RuleValues) -> dict[str, Any]:
        """Add a rule to a security group; in force at once. Guests speak IPv4: a rule for IPv6 lets nothing through."""
        ethertype = "IPv6" if (params.get("ethertype") or "").lower() == "ipv6" else "IPv4"
        made = self.network.create_group_rule(
            req.context,
            params["security_group_id"],
            direction=params["direction"],
            protocol=params.get("protocol"),
            low=params.get("port_range_min"),
            high=params.get("port_range_max"),
            remote_ip=params.get("remote_ip_prefix"),
            remote_group=params.get("remote_group_id"),
            ethertype=ethertype,
            description=params.get("description", ""),
        )
        return views.security_group_rule(made, made.project_id)


class SecurityGroupController(NetworkServiceController):
    resource_obj_cls = objects.SecurityGroup

    @wsgi.route("GET", "/security-groups/{group_id}", policy="get_security_group")
    @wsgi.version(base="2.1")
    @wsgi.response(200)
    @wsgi.expected_errors(404)
    @validation.schema(FORMATS.show_group)
    def show_group(self, req: wsgi.Request, obj: objects.SecurityGroup, params: Query) -> dict[str, Any]:
        """Show a security group with its rules."""
        return chosen(views.security_group(obj), params)

    @wsgi.route("PUT", "/security-groups/{group_id}", policy="update_security_group")
    @wsgi.version(base="2.1")
    @wsgi.response(200)
    @wsgi.expected_errors(400, 404, 409)
    @validation.schema(FORMATS.update_group)
    def update_group(self, req: wsgi.Request, obj: objects.SecurityGroup, params: GroupValues) -> dict[str, Any]:
        """Change name and description of a security group."""
        return views.security_group(self.network.update_group(req.context, obj, dict(params)))

    @wsgi.route("DELETE", "/security-groups/{group_id}", policy="delete_security_group")
    @wsgi.version(base="2.1")
    @wsgi.response(204)
    @wsgi.expected_errors(404, 409, 503)
    def delete_group(self, req: wsgi.Request, obj: objects.SecurityGroup, params: wsgi.NoParams) -> None:
        """Delete a security group, with rules of others that name it. 409 while a port is in it."""
        self.network.delete_group(req.context, obj)


class SecurityGroupRuleController(NetworkServiceController):
    resource_obj_cls = objects.SecurityGroupRule

    @wsgi.route("GET", "/security-group-rules/{rule_id}", policy="get_security_group_rule")
    @wsgi.version(base="2.1")
    @wsgi.response(200)
    @wsgi.expected_errors(404)
    @validation.schema(FORMATS.show_rule)
    def show_rule(self, req: wsgi.Request, obj: objects.SecurityGroupRule, params: Query) -> dict[str, Any]:
        """Show a rule of a security group."""
        return chosen(views.security_group_rule(obj, obj.project_id), params)

    @wsgi.route("DELETE", "/security-group-rules/{rule_id}", policy="delete_security_group_rule")
    @wsgi.version(base="2.1")
    @wsgi.response(204)
    @wsgi.expected_errors(404, 503)
    def delete_rule(self, req: wsgi.Request, obj: objects.SecurityGroupRule, params: wsgi.NoParams) -> None:
        """Take a rule away; connections that it let through go on until they end."""
        self.network.delete_group_rule(req.context, obj)
