"""What the Network service says of each thing, under Neutron's names."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from nova_lite import objects
from nova_lite.api.times import rfc3339
from nova_lite.compute.group_rules import NUMBERS

View = dict[str, Any]

_NAMES = {str(number): name for name, number in NUMBERS.items()}


def _common(project_id: str | None, description: str, created_at: datetime | None) -> View:
    return {
        "tenant_id": project_id or "",
        "project_id": project_id or "",
        "description": description,
        "created_at": rfc3339(created_at),
        "updated_at": rfc3339(created_at),
        "tags": [],
    }


def network(found: objects.Network, is_admin: bool) -> View:
    """:param is_admin: also says how it is made."""
    view = {
        "id": found.id,
        "name": found.name,
        "admin_state_up": True,
        "status": "ACTIVE",
        "shared": found.shared,
        "router:external": found.external,
        "is_default": found.external,
        "subnets": [found.subnet_id] if found.subnet_id else [],
        "mtu": 1500,
        "port_security_enabled": True,
        "availability_zone_hints": [],
        "availability_zones": ["nova"],
        "ipv4_address_scope": None,
        "ipv6_address_scope": None,
        **_common(found.project_id, found.description, found.created_at),
    }
    if is_admin:
        view |= {
            "provider:network_type": "local",
            "provider:physical_network": None,
            "provider:segmentation_id": None,
        }
    return view


def subnet(found: objects.Subnet) -> View:
    of = found.network
    return {
        "id": of.subnet_id,
        "name": of.subnet_name,
        "network_id": of.id,
        "ip_version": 4,
        "cidr": of.cidr,
        "gateway_ip": of.gateway_ip,
        "allocation_pools": [{"start": of.pool_start, "end": of.pool_end}],
        "dns_nameservers": of.dns_servers,
        "host_routes": [],
        "enable_dhcp": of.enable_dhcp,
        "ipv6_address_mode": None,
        "ipv6_ra_mode": None,
        "subnetpool_id": None,
        "service_types": [],
        **_common(of.project_id, of.subnet_description, of.subnet_created_at or of.created_at),
    }


def port(found: objects.Port, host: str, is_admin: bool) -> View:
    """:param is_admin: also says where it is."""
    is_on = bool(found.device_id and found.plugged) or found.device_owner == objects.ROUTER_INTERFACE
    view = {
        "id": found.id,
        "name": found.name,
        "network_id": found.network_id,
        "mac_address": found.mac_address,
        "admin_state_up": True,
        "status": "ACTIVE" if is_on else "DOWN",
        "device_id": found.device_id or found.owner_id or "",
        "device_owner": found.device_owner or ("compute:nova" if found.device_id else ""),
        "fixed_ips": [{"subnet_id": found.subnet_id, "ip_address": address} for address in found.fixed_ips],
        "security_groups": list(found.security_groups),
        "allowed_address_pairs": [],
        "extra_dhcp_opts": [],
        "port_security_enabled": not found.device_owner,
        "binding:vnic_type": "normal",
        **_common(found.project_id, found.description, found.created_at),
    }
    if is_admin:
        view |= {
            "binding:host_id": host if found.device_id else "",
            "binding:vif_type": "bridge" if found.device_id else "unbound",
            "binding:vif_details": {},
            "binding:profile": {},
        }
    return view


def security_group(found: objects.SecurityGroup) -> View:
    return {
        "id": found.id,
        "name": found.name,
        "stateful": True,
        "shared": False,
        "security_group_rules": [security_group_rule(rule, found.project_id) for rule in found.rules],
        **_common(found.project_id, found.description, found.created_at),
    }


def security_group_rule(found: objects.SecurityGroupRule, project_id: str) -> View:
    return {
        "id": found.id,
        "security_group_id": found.security_group_id,
        "direction": found.direction,
        "ethertype": found.ethertype,
        "protocol": _NAMES.get(found.protocol or "", found.protocol),
        "port_range_min": found.port_range_min,
        "port_range_max": found.port_range_max,
        "remote_ip_prefix": found.remote_ip_prefix,
        "remote_group_id": found.remote_group_id,
        "remote_address_group_id": None,
        "description": found.description,
        "tenant_id": project_id,
        "project_id": project_id,
    }


def router(found: objects.Router) -> View:
    gateway = None
    if found.external_network_id is not None:
        # What comes out of it has the host's own address, or a floating one.
        gateway = {"network_id": found.external_network_id, "enable_snat": True, "external_fixed_ips": []}
    return {
        "id": found.id,
        "name": found.name,
        "admin_state_up": True,
        "status": "ACTIVE",
        "external_gateway_info": gateway,
        "routes": [],
        "distributed": False,
        "ha": False,
        "availability_zone_hints": [],
        "availability_zones": ["nova"],
        **_common(found.project_id, found.description, found.created_at),
    }


def router_interface(found: objects.Router, port_id: str, network: objects.Network) -> View:
    return {
        "id": found.id,
        "tenant_id": found.project_id,
        "project_id": found.project_id,
        "port_id": port_id,
        "network_id": network.id,
        "subnet_id": network.subnet_id,
        "subnet_ids": [network.subnet_id],
        "tags": [],
    }


def floating_ip(found: objects.FloatingIP) -> View:
    return {
        "id": found.id,
        "floating_network_id": found.network_id,
        "floating_ip_address": found.address,
        "fixed_ip_address": found.fixed_ip_address,
        "port_id": found.port_id,
        "router_id": found.router_id,
        "status": "ACTIVE" if found.port_id else "DOWN",
        "dns_name": "",
        "dns_domain": "",
        "port_forwardings": [],
        **_common(found.project_id, found.description, found.created_at),
    }
