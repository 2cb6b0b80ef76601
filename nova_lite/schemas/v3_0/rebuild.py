"""Formats of rebuild in 3.x."""

from __future__ import annotations

from nova_lite.schemas import parameter_types as pt
from nova_lite.schemas.parameter_types import Schema
from nova_lite.schemas.shapes import closed, wrapped

_REBUILD: dict[str, Schema] = {
    "image_ref": pt.uuid,
    "name": pt.name,
    "description": pt.description,
    "metadata": pt.metadata,
    "key_name": pt.name_or_none,
    "user_data": pt.user_data | {"type": ["string", "null"]},
    "hostname": pt.fqdn,
    "preserve_ephemeral": {"type": "boolean"},
    "disk_config": pt.disk_config,
    "access_ip_v4": pt.ipv4,
    "access_ip_v6": pt.ipv6,
    "admin_password": pt.admin_password,
    "trusted_image_certificates": pt.trusted_image_certificates
    | {"ext:policy": "os_compute_api:servers:rebuild:trusted_certs"},
}

rebuild_input_3_0 = wrapped("rebuild", closed(_REBUILD, optional=[name for name in _REBUILD if name != "image_ref"]))
rebuild_output_3_0 = closed({"admin_password": pt.string_or_null}, optional=["admin_password"])
