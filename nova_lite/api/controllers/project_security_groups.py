"""os-security-groups and os-security-group-rules of a project: the proxies of microversions up to 2.35."""

from __future__ import annotations

import contextlib
import ipaddress
import uuid
from collections.abc import Iterator
from typing import Any, TypedDict

from nova_lite import exceptions, objects, schemas
from nova_lite.api import validation, wsgi
from nova_lite.api.controllers.security_groups import old_rule, view
from nova_lite.compute.network_errors import OverQuota

_RULE = "os_compute_api:os-security-groups"
_PORTS = {"TCP": (1, 65535), "UDP": (1, 65535), "ICMP": (-1, 255)}


class ListParams(TypedDict, total=False):
    limit: int
    offset: int
    all_tenants: str


class GroupParams(TypedDict):
    name: str
    description: str


class GroupBody(TypedDict):
    """Nova takes anything beside these two."""

    security_group: GroupParams


class RuleParams(TypedDict, total=False):
    group_id: str | None
    parent_group_id: str
    from_port: Any
    to_port: Any
    ip_protocol: Any
    cidr: Any


class RuleBody(TypedDict):
    security_group_rule: RuleParams


@contextlib.contextmanager
def _nova_errors() -> Iterator[None]:
    """What Neutron's conflicts became in Nova."""
    try:
        yield
    except OverQuota as error:
        raise exceptions.Forbidden(str(error)) from error
    except exceptions.Conflict as error:
        raise exceptions.Invalid(str(error)) from error


def _check_id(value: str) -> str:
    try:
        return str(uuid.UUID(value))
    except ValueError as error:
        raise exceptions.Invalid("Security group id should be uuid") from error


class ProjectSecurityGroupsController(wsgi.Controller):
    resource = "security_groups"

    @wsgi.route("GET", "/os-security-groups", policy=f"{_RULE}:get")
    @wsgi.version(base="2.1", max="2.35")
    @wsgi.response(200)
    @wsgi.expected_errors(400, 404)
    @validation.schema(schemas.security_groups.list_groups)
    def list_groups(self, req: wsgi.Request, obj: None, params: ListParams) -> dict[str, Any]:
        """List the security groups of the project; of all projects for an administrator who asks with all_tenants."""
        everybody = params.get("all_tenants", "0").lower() in ("1", "true", "t", "yes", "y", "on")
        found = self.compute.network.list_groups(req.context, everybody)
        found.sort(key=lambda group: (group.project_id, group.name))
        limit = min(params.get("limit") or req.conf.max_limit, req.conf.max_limit)
        begin = params.get("offset", 0)
        names = {group.id: group for group in self.compute.groups_named_in(found)}
        return {"security_groups": [view(group, names) for group in found[begin : begin + limit]]}

    @wsgi.route("POST", "/os-security-groups", policy=f"{_RULE}:create")
    @wsgi.version(base="2.1", max="2.35")
    @wsgi.response(200)
    @wsgi.expected_errors(400, 403)
    @validation.schema(schemas.security_groups.create_group)
    def create_group(self, req: wsgi.Request, obj: None, params: GroupBody) -> dict[str, Any]:
        """Create a security group."""
        group, network = params["security_group"], self.compute.network
        with _nova_errors():
            made = network.create_group(req.context, name=group["name"], description=group["description"])
        return view(made, {})

    @wsgi.route("POST", "/os-security-group-rules", policy=f"{_RULE}:rule:create")
    @wsgi.version(base="2.1", max="2.35")
    @wsgi.response(200)
    @wsgi.expected_errors(400, 403, 404, 503)
    @validation.schema(schemas.security_groups.create_rule)
    def create_rule(self, req: wsgi.Request, obj: None, params: RuleBody) -> dict[str, Any]:
        """Let something in: from a range of addresses, or from members of a group."""
        wanted, network = params["security_group_rule"], self.compute.network
        network.get_group(req.context, wanted["parent_group_id"])
        source = network.get_group(req.context, wanted["group_id"]) if wanted.get("group_id") else None
        facts = _rule_of(wanted, source)
        with _nova_errors():
            made = network.create_group_rule(req.context, wanted["parent_group_id"], direction="ingress", **facts)
        return old_rule(made, {source.id: source} if source else {})


class ProjectSecurityGroupController(wsgi.Controller):
    resource = "security_groups"
    resource_obj_cls = objects.SecurityGroup

    def load(self, req: wsgi.Request, value: str) -> objects.SecurityGroup:  # type: ignore[override]
        return self.compute.network.get_group(req.context, _check_id(value))  # type: ignore[no-any-return]

    @wsgi.route("GET", "/os-security-groups/{group_id}", policy=f"{_RULE}:show")
    @wsgi.version(base="2.1", max="2.35")
    @wsgi.response(200)
    @wsgi.expected_errors(400, 404)
    @validation.schema(schemas.security_groups.show_group)
    def show_group(self, req: wsgi.Request, obj: objects.SecurityGroup, params: wsgi.NoParams) -> dict[str, Any]:
        """Show a security group with its rules of what may come in."""
        return view(obj, {group.id: group for group in self.compute.groups_named_in([obj])})

    @wsgi.route("PUT", "/os-security-groups/{group_id}", policy=f"{_RULE}:update")
    @wsgi.version(base="2.1", max="2.35")
    @wsgi.response(200)
    @wsgi.expected_errors(400, 404)
    @validation.schema(schemas.security_groups.update_group)
    def update_group(self, req: wsgi.Request, obj: objects.SecurityGroup, params: GroupBody) -> dict[str, Any]:
        """Change name and description of a security group."""
        values = {key: params["security_group"][key] for key in ("name", "description")}  # type: ignore[literal-required]
        with _nova_errors():
            changed = self.compute.network.update_group(req.context, obj, values)
        return view(changed, {group.id: group for group in self.compute.groups_named_in([changed])})

    @wsgi.route("DELETE", "/os-security-groups/{group_id}", policy=f"{_RULE}:delete")
    @wsgi.version(base="2.1", max="2.35")
    @wsgi.response(202)
    @wsgi.expected_errors(400, 404, 503)
    def delete_group(self, req: wsgi.Request, obj: objects.SecurityGroup, params: wsgi.NoParams) -> None:
        """Delete a security group, with rules of others that name it; 400 while a server is in it."""
        with _nova_errors():
            self.compute.network.delete_group(req.context, obj)


class ProjectSecurityGroupRuleController(wsgi.Controller):
    resource = "security_groups"
    resource_obj_cls = objects.SecurityGroupRule

    def load(self, req: wsgi.Request, value: str) -> objects.SecurityGroupRule:  # type: ignore[override]
        return self.compute.network.get_group_rule(req.context, _check_id(value))  # type: ignore[no-any-return]

    @wsgi.route("DELETE", "/os-security-group-rules/{rule_id}", policy=f"{_RULE}:rule:delete")
    @wsgi.version(base="2.1", max="2.35")
    @wsgi.response(202)
    @wsgi.expected_errors(400, 404, 409, 503)
    def delete_rule(self, req: wsgi.Request, obj: objects.SecurityGroupRule, params: wsgi.NoParams) -> None:
        """Take a rule away."""
        self.compute.network.delete_group_rule(req.context, obj)


def _rule_of(params: RuleParams, source: objects.SecurityGroup | None) -> dict[str, Any]:
    """What is to be let in, by the names of ``group_rules.checked_rule``. Invalid in Nova's words."""
    protocol, low, high = (params.get(name) for name in ("ip_protocol", "from_port", "to_port"))
    facts: dict[str, Any] = {"remote_group": source.id} if source else _range(params.get("cidr"))
    kind = str(protocol).upper() if protocol else ""
    if source and kind in _PORTS and low is None and high is None:
        low, high = (-1, -1) if kind == "ICMP" else (1, 65535)
    if not kind or low is None or high is None:
        if source is None:
            raise exceptions.Invalid("Not enough parameters to build a valid rule.")
        return facts
    try:
        low, high = int(str(low)), int(str(high))
    except ValueError as error:
        what = "Type and Code must be integers for ICMP protocol type" if kind == "ICMP" else ""
        raise exceptions.Invalid(what or "To and From ports must be integers") from error
    if kind not in _PORTS:
        raise exceptions.Invalid(f"Invalid IP protocol {str(protocol)[:40]}.")
    first, last = _PORTS[kind]
    wrong = None
    if kind != "ICMP" and low > high:
        wrong = "Former value cannot be greater than the later"
    elif not (first <= low <= last and first <= high <= last):
        wrong = "For ICMP, the type:code must be valid"
        if kind != "ICMP":
            wrong = f"Valid {kind} ports should be between 1-65535"
    if wrong:
        raise exceptions.Invalid(f"Invalid port range {low}:{high}. {wrong}")
    if kind == "ICMP":
        return facts | {"protocol": "icmp", "low": _set(low), "high": _set(high) if low >= 0 else None}
    return facts | {"protocol": kind.lower(), "low": low, "high": high}


def _set(number: int) -> int | None:
    return number if number >= 0 else None


def _range(cidr: Any) -> dict[str, Any]:
    if not cidr:
        return {"remote_ip": "0.0.0.0/0"}
    try:
        found = ipaddress.ip_network(str(cidr).strip(), strict=False)
    except ValueError as error:
        raise exceptions.Invalid(f"{str(cidr)[:64]} is not a valid IP network.") from error
    if found.prefixlen == 0 and str(cidr).partition("/")[0].strip() not in ("0.0.0.0", "::"):
        raise exceptions.Invalid(f"Bad prefix for network in cidr {str(cidr)[:64]}")
    written = str(cidr).strip()  # kept as it is, with a length
    return {"remote_ip": written if "/" in written else str(found), "ethertype": f"IPv{found.version}"}
