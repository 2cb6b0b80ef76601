"""Formats of Network v2, as far as it goes here; the facts are those of Neutron's API reference.

What this host cannot do otherwise (``admin_state_up``, ``port_security_enabled``) is taken with the value that it has.
"""

from __future__ import annotations

from typing import Any

from nova_lite.schemas import parameter_types as types
from nova_lite.schemas.shapes import closed, wrapped

_Schema = dict[str, Any]

_text = {"type": "string", "maxLength": 255}
_text_or_null = _text | {"type": ["string", "null"]}
_id = {"type": "string", "minLength": 1, "maxLength": 64}
_id_or_null = _id | {"type": ["string", "null"]}
_always = types.boolean | {"enum": [True, "True", "true", "1"], "ext:ignored": True}
_none_of_it = {"type": ["array", "null"], "maxItems": 0, "ext:ignored": True}
_number_or_null = {
    "type": ["integer", "string", "null"],
    "pattern": "^[0-9]{1,5}$",
    "minimum": 0,
    "maximum": 65535,
    "ext:type": "integer",
}
_free = {"type": "object"}
_list = {"type": "array"}
_flag = {"type": "boolean"}
_time = {"type": "string", "format": "date-time"}
_texts = {"type": "array", "items": types.string}
_count = {"type": ["integer", "null"]}

#: Any attribute can be a filter; listing.py tells those that a resource has.
_QUERY = {
    "type": "object",
    "additionalProperties": {"type": "array", "items": {"type": "string", "maxLength": 1024}},
    "ext:mapping": {"*": "query"},
}
_OWNER_IN = {"tenant_id": _id_or_null, "project_id": _id_or_null}
_OWNER = {"tenant_id": types.string, "project_id": types.string}
_COMMON = _OWNER | {"description": types.string, "created_at": _time, "updated_at": _time, "tags": _texts}


def _in(name: str, properties: dict[str, _Schema], required: tuple[str, ...] = (), **mapping: str) -> _Schema:
    optional = [key for key in properties if key not in required]
    places = {key.replace("__", ":"): flat for key, flat in mapping.items()}
    return wrapped(name, closed(properties, optional=optional, mapping=places))


def _out(properties: dict[str, _Schema]) -> _Schema:
    """Every field can be left out by ``fields``."""
    return closed(properties, optional=list(properties))


def _listing(name: str, item: _Schema) -> _Schema:
    return closed({name: {"type": "array", "items": item}, f"{name}_links": _list}, optional=[f"{name}_links"])


# -- networks ----------------------------------------------------------------------------------------------

_network_in: dict[str, _Schema] = {
    "name": _text,
    "description": _text,
    "shared": types.boolean,
    "router:external": types.boolean,
    "admin_state_up": _always,
    "port_security_enabled": _always,
    "availability_zone_hints": _none_of_it,
}
NETWORK: dict[str, _Schema] = {
    "id": _id,
    "name": types.string,
    "admin_state_up": _flag,
    "status": types.string,
    "shared": _flag,
    "router:external": _flag,
    "is_default": _flag,
    "subnets": _texts,
    "mtu": {"type": "integer"},
    "port_security_enabled": _flag,
    "availability_zone_hints": _list,
    "availability_zones": _list,
    "ipv4_address_scope": types.null | {"type": ["string", "null"]},
    "ipv6_address_scope": types.null | {"type": ["string", "null"]},
    "provider:network_type": types.string,
    "provider:physical_network": types.string_or_null,
    "provider:segmentation_id": _count,
    **_COMMON,
}
create_network_input_2_1 = _in("network", _network_in | _OWNER_IN, router__external="external")
update_network_input_2_1 = _in("network", _network_in, router__external="external")
create_network_output_2_1 = update_network_output_2_1 = show_network_output_2_1 = wrapped("network", _out(NETWORK))
list_networks_query_2_1 = show_network_query_2_1 = _QUERY
list_networks_output_2_1 = _listing("networks", _out(NETWORK))

# -- subnets -----------------------------------------------------------------------------------------------

_pool = closed({"start": types.string, "end": types.string})
_subnet_in: dict[str, _Schema] = {
    "name": _text,
    "description": _text,
    "gateway_ip": _text_or_null,
    "allocation_pools": {"type": ["array", "null"], "items": _pool, "maxItems": 10},
    "dns_nameservers": {"type": ["array", "null"], "items": _text, "maxItems": 5},
    "enable_dhcp": types.boolean,
    "host_routes": _none_of_it,
}
_subnet_new: dict[str, _Schema] = {
    "network_id": _id,
    "cidr": _text,
    "ip_version": {"type": ["integer", "string"], "ext:type": "integer"},
    "subnetpool_id": types.null,
    "ipv6_ra_mode": types.null,
    "ipv6_address_mode": types.null,
    **_OWNER_IN,
}
SUBNET: dict[str, _Schema] = {
    "id": _id,
    "name": types.string,
    "network_id": _id,
    "ip_version": {"type": "integer"},
    "cidr": types.string,
    "gateway_ip": types.string_or_null,
    "allocation_pools": {"type": "array"},
    "dns_nameservers": _texts,
    "host_routes": _list,
    "enable_dhcp": _flag,
    "ipv6_address_mode": types.string_or_null,
    "ipv6_ra_mode": types.string_or_null,
    "subnetpool_id": types.string_or_null,
    "service_types": _list,
    **_COMMON,
}
create_subnet_input_2_1 = _in("subnet", _subnet_in | _subnet_new, ("network_id", "cidr"))
update_subnet_input_2_1 = _in("subnet", _subnet_in)
create_subnet_output_2_1 = update_subnet_output_2_1 = show_subnet_output_2_1 = wrapped("subnet", _out(SUBNET))
list_subnets_query_2_1 = show_subnet_query_2_1 = _QUERY
list_subnets_output_2_1 = _listing("subnets", _out(SUBNET))

# -- ports -------------------------------------------------------------------------------------------------

_fixed_ip = closed({"subnet_id": _id, "ip_address": _text}, optional=["subnet_id", "ip_address"])
_port_in: dict[str, _Schema] = {
    "name": _text,
    "description": _text,
    "fixed_ips": {"type": ["array", "null"], "items": _fixed_ip, "maxItems": 100},
    "security_groups": {"type": ["array", "null"], "items": _id, "maxItems": 100},
    "device_id": _text,
    "device_owner": _text,
    "admin_state_up": _always,
    "port_security_enabled": _always,
    "allowed_address_pairs": _none_of_it,
    "extra_dhcp_opts": _none_of_it,
    "binding:vnic_type": {"type": "string", "enum": ["normal"], "ext:ignored": True},
    "binding:profile": {"type": ["object", "null"], "maxProperties": 0, "ext:ignored": True},
    "binding:host_id": _text_or_null | {"ext:ignored": True},
}
_port_new: dict[str, _Schema] = {"network_id": _id, "mac_address": types.mac_address, **_OWNER_IN}
PORT: dict[str, _Schema] = {
    "id": _id,
    "name": types.string,
    "network_id": _id,
    "mac_address": types.string,
    "admin_state_up": _flag,
    "status": types.string,
    "device_id": types.string,
    "device_owner": types.string,
    "fixed_ips": _list,
    "security_groups": _texts,
    "allowed_address_pairs": _list,
    "extra_dhcp_opts": _list,
    "port_security_enabled": _flag,
    "binding:vnic_type": types.string,
    "binding:host_id": types.string,
    "binding:vif_type": types.string,
    "binding:vif_details": _free,
    "binding:profile": _free,
    **_COMMON,
}
create_port_input_2_1 = _in("port", _port_in | _port_new, ("network_id",))
update_port_input_2_1 = _in("port", _port_in)
create_port_output_2_1 = update_port_output_2_1 = show_port_output_2_1 = wrapped("port", _out(PORT))
list_ports_query_2_1 = show_port_query_2_1 = _QUERY
list_ports_output_2_1 = _listing("ports", _out(PORT))

# -- security groups ---------------------------------------------------------------------------------------

_group_in: dict[str, _Schema] = {"name": _text | {"minLength": 1}, "description": _text, "stateful": _always}
GROUP: dict[str, _Schema] = {
    "id": _id,
    "name": types.string,
    "stateful": _flag,
    "shared": _flag,
    "security_group_rules": _list,
    **_COMMON,
}
create_group_input_2_1 = _in("security_group", _group_in | _OWNER_IN, ("name",))
update_group_input_2_1 = _in("security_group", _group_in)
create_group_output_2_1 = update_group_output_2_1 = show_group_output_2_1 = wrapped("security_group", _out(GROUP))
list_groups_query_2_1 = show_group_query_2_1 = _QUERY
list_groups_output_2_1 = _listing("security_groups", _out(GROUP))

_rule_in: dict[str, _Schema] = {
    "security_group_id": _id,
    "direction": {"type": "string", "enum": ["ingress", "egress"]},
    "ethertype": {"type": ["string", "null"], "enum": ["IPv4", "IPv6", "ipv4", "ipv6", None]},
    "protocol": {"type": ["string", "integer", "null"], "maxLength": 40, "ext:type": "string"},
    "port_range_min": _number_or_null,
    "port_range_max": _number_or_null,
    "remote_ip_prefix": _text_or_null,
    "remote_group_id": _id_or_null,
    "remote_address_group_id": types.null,
    "description": _text,
    **_OWNER_IN,
}
RULE: dict[str, _Schema] = {
    "id": _id,
    "security_group_id": _id,
    "direction": types.string,
    "ethertype": types.string,
    "protocol": types.string_or_null,
    "port_range_min": _count,
    "port_range_max": _count,
    "remote_ip_prefix": types.string_or_null,
    "remote_group_id": types.string_or_null,
    "remote_address_group_id": types.string_or_null,
    "description": types.string,
    **_OWNER,
}
create_rule_input_2_1 = _in("security_group_rule", _rule_in, ("security_group_id", "direction"))
create_rule_output_2_1 = show_rule_output_2_1 = wrapped("security_group_rule", _out(RULE))
list_rules_query_2_1 = show_rule_query_2_1 = _QUERY
list_rules_output_2_1 = _listing("security_group_rules", _out(RULE))

# -- routers -----------------------------------------------------------------------------------------------

_gateway = {  # one value: null takes the gateway away, and its absence does not
    "anyOf": [
        types.null,
        closed(
            {"network_id": _id, "enable_snat": _always, "external_fixed_ips": _list},
            optional=["enable_snat", "external_fixed_ips"],
        ),
        closed({}),
    ]
}
_router_in: dict[str, _Schema] = {
    "name": _text,
    "description": _text,
    "external_gateway_info": _gateway,
    "admin_state_up": _always,
    "distributed": types.boolean | {"enum": [False, "False", "false"], "ext:ignored": True},
    "ha": types.boolean | {"enum": [False, "False", "false"], "ext:ignored": True},
    "availability_zone_hints": _none_of_it,
    "routes": _none_of_it,
}
ROUTER: dict[str, _Schema] = {
    "id": _id,
    "name": types.string,
    "admin_state_up": _flag,
    "status": types.string,
    "external_gateway_info": {"type": ["object", "null"]},
    "routes": _list,
    "distributed": _flag,
    "ha": _flag,
    "availability_zone_hints": _list,
    "availability_zones": _list,
    **_COMMON,
}
create_router_input_2_1 = _in("router", _router_in | _OWNER_IN)
update_router_input_2_1 = _in("router", _router_in)
create_router_output_2_1 = update_router_output_2_1 = show_router_output_2_1 = wrapped("router", _out(ROUTER))
list_routers_query_2_1 = show_router_query_2_1 = _QUERY
list_routers_output_2_1 = _listing("routers", _out(ROUTER))
add_interface_input_2_1 = remove_interface_input_2_1 = closed(
    {"subnet_id": _id, "port_id": _id}, optional=["subnet_id", "port_id"]
)
add_interface_output_2_1 = remove_interface_output_2_1 = closed(
    {"id": _id, "port_id": _id, "network_id": _id, "subnet_id": _id, "subnet_ids": _texts, "tags": _texts, **_OWNER}
)

# -- floating IPs ------------------------------------------------------------------------------------------

_floating_in: dict[str, _Schema] = {"port_id": _id_or_null, "fixed_ip_address": _text_or_null, "description": _text}
_floating_new: dict[str, _Schema] = {
    "floating_network_id": _id,
    "floating_ip_address": _text_or_null,
    "subnet_id": _id_or_null,
    "dns_name": {"const": "", "ext:ignored": True},
    "dns_domain": {"const": "", "ext:ignored": True},
    **_OWNER_IN,
}
FLOATING_IP: dict[str, _Schema] = {
    "id": _id,
    "floating_network_id": _id,
    "floating_ip_address": types.string,
    "fixed_ip_address": types.string_or_null,
    "port_id": types.string_or_null,
    "router_id": types.string_or_null,
    "status": types.string,
    "dns_name": types.string,
    "dns_domain": types.string,
    "port_forwardings": _list,
    **_COMMON,
}
_floating_names = {
    "fixed_ip_address": "fixed_ip",
    "floating_ip_address": "address",
    "floating_network_id": "network_id",
}
create_floating_ip_input_2_1 = _in(
    "floatingip", _floating_in | _floating_new, ("floating_network_id",), **_floating_names
)
update_floating_ip_input_2_1 = _in("floatingip", _floating_in, fixed_ip_address="fixed_ip")
_floating_out = wrapped("floatingip", _out(FLOATING_IP))
create_floating_ip_output_2_1 = update_floating_ip_output_2_1 = show_floating_ip_output_2_1 = _floating_out
list_floating_ips_query_2_1 = show_floating_ip_query_2_1 = _QUERY
list_floating_ips_output_2_1 = _listing("floatingips", _out(FLOATING_IP))

# -- what there is beside ----------------------------------------------------------------------------------

list_extensions_query_2_1 = list_agents_query_2_1 = list_zones_query_2_1 = list_quotas_query_2_1 = _QUERY
list_extensions_output_2_1 = closed({"extensions": _list})
show_extension_output_2_1 = closed({"extension": _free})
list_agents_output_2_1 = closed({"agents": _list})
list_zones_output_2_1 = closed({"availability_zones": _list})
list_quotas_output_2_1 = closed({"quotas": _list})
show_quota_output_2_1 = show_default_quota_output_2_1 = show_used_quota_output_2_1 = closed({"quota": _free})
