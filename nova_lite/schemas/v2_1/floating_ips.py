"""Formats of os-floating-ips, os-floating-ip-pools and the actions on floating IPs in 2.x."""

from __future__ import annotations

from nova_lite.schemas import parameter_types as pt
from nova_lite.schemas.shapes import closed, wrapped

_floating_ip = closed(
    {
        "id": pt.uuid,
        "ip": pt.ip_address,
        "fixed_ip": pt.ip_address | {"type": ["string", "null"]},
        "instance_id": pt.uuid | {"type": ["string", "null"]},
        "pool": pt.string,
    }
)

index_query_2_1 = show_query_2_1 = list_pools_query_2_1 = pt.any_query_at_all
index_output_2_1 = closed({"floating_ips": {"type": "array", "items": _floating_ip}})
show_output_2_1 = create_output_2_1 = wrapped("floating_ip", _floating_ip)
create_input_2_1 = closed({"pool": pt.string_or_null}, optional=["pool"])
list_pools_output_2_1 = closed({"floating_ip_pools": {"type": "array", "items": closed({"name": pt.string})}})

add_input_2_1 = wrapped(
    "addFloatingIp", closed({"address": pt.ip_address, "fixed_address": pt.ip_address}, optional=["fixed_address"])
)
remove_input_2_1 = wrapped("removeFloatingIp", closed({"address": pt.ip_address}))
