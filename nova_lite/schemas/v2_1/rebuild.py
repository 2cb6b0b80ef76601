"""Formats of rebuild in 2.x: the answer is the server as its update shows it, with the password."""

from __future__ import annotations

from nova_lite.schemas import parameter_types as pt
from nova_lite.schemas.parameter_types import Schema
from nova_lite.schemas.shapes import closed, without, wrapped
from nova_lite.schemas.v2_1._server import (
    CORE_2_1,
    CORE_2_9,
    CORE_2_19,
    CORE_2_26,
    CORE_2_47,
    CORE_2_63,
    CORE_2_73,
    CORE_2_98,
    GROUPS,
    REST_2_16,
    REST_2_90,
    REST_2_96,
    REST_2_100,
    changed,
    server,
)

_MAPPING = {
    "accessIPv4": "access_ip_v4",
    "accessIPv6": "access_ip_v6",
    "adminPass": "admin_password",
    "imageRef": "image_ref",
    "OS-DCF:diskConfig": "disk_config",
}


def _rebuild(properties: dict[str, Schema]) -> Schema:
    optional = [name for name in properties if name != "imageRef"]
    return wrapped("rebuild", closed(properties, optional=optional, mapping=_MAPPING))


_REBUILD_2_1: dict[str, Schema] = {
    "name": pt.name,
    "imageRef": pt.uuid,
    "adminPass": pt.admin_password,
    "metadata": pt.metadata,
    "preserve_ephemeral": pt.boolean,
    "OS-DCF:diskConfig": pt.disk_config,
    "accessIPv4": pt.ipv4,
    "accessIPv6": pt.ipv6,
    "personality": pt.personality,
}
_REBUILD_2_19 = _REBUILD_2_1 | {"description": pt.description}
_REBUILD_2_54 = _REBUILD_2_19 | {"key_name": pt.name_or_none}
_REBUILD_2_57 = without(_REBUILD_2_54, "personality") | {
    "user_data": pt.user_data | {"type": ["string", "null"]},
}
_REBUILD_2_63 = _REBUILD_2_57 | {
    "trusted_image_certificates": pt.trusted_image_certificates
    | {"ext:policy": "os_compute_api:servers:rebuild:trusted_certs"},
}
_REBUILD_2_90 = _REBUILD_2_63 | {"hostname": pt.hostname}
_REBUILD_2_94 = _REBUILD_2_90 | {"hostname": pt.fqdn}

rebuild_input_2_1 = _rebuild(_REBUILD_2_1)
rebuild_input_2_19 = _rebuild(_REBUILD_2_19)
rebuild_input_2_54 = _rebuild(_REBUILD_2_54)
rebuild_input_2_57 = _rebuild(_REBUILD_2_57)
rebuild_input_2_63 = _rebuild(_REBUILD_2_63)
rebuild_input_2_90 = _rebuild(_REBUILD_2_90)
rebuild_input_2_94 = _rebuild(_REBUILD_2_94)

# In 2.93 a root that is a volume is written anew: the same request, another meaning.


def _rebuilt(properties: dict[str, Schema]) -> Schema:
    """The password is there if the operator lets passwords be shown."""
    shown = server(properties | {"adminPass": pt.string_or_null})
    shown["required"] = [name for name in shown["required"] if name != "adminPass"]
    shown["ext:mapping"] = shown["ext:mapping"] | {"adminPass": "admin_password"}
    return wrapped("server", shown)


_KEY: dict[str, Schema] = {"key_name": pt.string_or_null}
_KEY_AND_DATA: dict[str, Schema] = _KEY | {"user_data": pt.string_or_null}


def _all(properties: dict[str, Schema]) -> dict[str, Schema]:
    """Everything there is: ``user_data`` in the name that only this answer has."""
    return without(properties, "OS-EXT-SRV-ATTR:user_data") | _KEY_AND_DATA


rebuild_output_2_1 = _rebuilt(changed(CORE_2_1))
rebuild_output_2_9 = _rebuilt(changed(CORE_2_9))
rebuild_output_2_19 = _rebuilt(changed(CORE_2_19))
rebuild_output_2_26 = _rebuilt(changed(CORE_2_26))
rebuild_output_2_47 = _rebuilt(changed(CORE_2_47))
rebuild_output_2_54 = _rebuilt(changed(CORE_2_47 | _KEY))
rebuild_output_2_57 = _rebuilt(changed(CORE_2_47 | _KEY_AND_DATA))
rebuild_output_2_63 = _rebuilt(changed(CORE_2_63 | _KEY_AND_DATA))
rebuild_output_2_71 = _rebuilt(changed(CORE_2_63 | _KEY_AND_DATA | GROUPS))
rebuild_output_2_73 = _rebuilt(changed(CORE_2_73 | _KEY_AND_DATA | GROUPS))
rebuild_output_2_75 = _rebuilt(_all(CORE_2_73 | REST_2_16 | GROUPS))
rebuild_output_2_90 = _rebuilt(_all(CORE_2_73 | REST_2_90 | GROUPS))
rebuild_output_2_96 = _rebuilt(_all(CORE_2_73 | REST_2_96 | GROUPS))
rebuild_output_2_98 = _rebuilt(_all(CORE_2_98 | REST_2_96 | GROUPS))
rebuild_output_2_100 = _rebuilt(_all(CORE_2_98 | REST_2_100 | GROUPS))
