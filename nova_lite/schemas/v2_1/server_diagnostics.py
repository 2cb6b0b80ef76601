"""Formats of a server's diagnostics in 2.x."""

from __future__ import annotations

from nova_lite.schemas import parameter_types as pt
from nova_lite.schemas.parameter_types import Schema
from nova_lite.schemas.shapes import closed

_NUMBER: Schema = {"type": ["integer", "null"]}
_LIBVIRT: Schema = {"type": "object", "additionalProperties": {"type": "integer"}}


def _numbers(*names: str) -> dict[str, Schema]:
    return dict.fromkeys(names, _NUMBER)


_CPU = closed(_numbers("id", "time", "utilisation"))
_DISK = closed(_numbers("read_bytes", "read_requests", "write_bytes", "write_requests", "errors_count"))
_WAYS = [f"{way}_{what}" for way in ("rx", "tx") for what in ("octets", "errors", "drop", "packets", "rate")]
_CARD = closed({"mac_address": pt.string_or_null} | _numbers(*_WAYS))
#: From 2.48 on, and in 3.x.
STANDARD = closed(
    {
        "state": {"type": "string", "enum": ["pending", "running", "paused", "shutdown", "crashed", "suspended"]},
        "driver": pt.string,
        "hypervisor": pt.string_or_null,
        "hypervisor_os": pt.string_or_null,
        "uptime": _NUMBER,
        "config_drive": {"type": "boolean"},
        "num_cpus": _NUMBER,
        "num_nics": _NUMBER,
        "num_disks": _NUMBER,
        "cpu_details": {"type": "array", "items": _CPU},
        "disk_details": {"type": "array", "items": _DISK},
        "nic_details": {"type": "array", "items": _CARD},
        "memory_details": closed(_numbers("maximum", "used")),
    },
    mapping={"memory_details/maximum": "maximum_memory", "memory_details/used": "used_memory"},
)

index_query_2_1 = pt.any_query_at_all
index_query_2_102 = pt.no_query
index_output_2_1 = _LIBVIRT | {"ext:mapping": {"*": "diagnostics"}}
index_output_2_48 = STANDARD
