"""Formats of os-networks in 2.x: what there was before Neutron, and since then id and label."""

from __future__ import annotations

from nova_lite.schemas import parameter_types as pt
from nova_lite.schemas.shapes import closed, wrapped

FIELDS = (
    *("id", "cidr", "netmask", "gateway", "broadcast", "dns1", "dns2"),
    *("cidr_v6", "gateway_v6", "label", "netmask_v6"),
)
#: Shown to administrators.
ADMIN_FIELDS = (
    *("created_at", "updated_at", "deleted_at", "deleted", "injected", "bridge", "vlan", "vpn_public_address"),
    *("vpn_public_port", "vpn_private_address", "dhcp_start", "project_id", "host", "bridge_interface"),
    *("multi_host", "priority", "rxtx_base", "mtu", "dhcp_server", "enable_dhcp", "share_address"),
)
_network = closed(
    dict.fromkeys((*FIELDS, *ADMIN_FIELDS), pt.string_or_null)
    | {"id": pt.string, "label": pt.string, "mtu": {"type": ["integer", "null"]}}
    | {"vpn_public_port": {"type": ["integer", "null"]}},
    optional=ADMIN_FIELDS,
)

index_query_2_1 = show_query_2_1 = pt.any_query_at_all
index_output_2_1 = closed({"networks": {"type": "array", "items": _network}})
show_output_2_1 = wrapped("network", _network)
