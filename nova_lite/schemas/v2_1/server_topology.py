"""Formats of a server's NUMA topology in 2.x."""

from __future__ import annotations

from nova_lite.schemas import parameter_types as pt
from nova_lite.schemas.parameter_types import Schema
from nova_lite.schemas.shapes import closed

_HOST: Schema = {"ext:policy": "compute:server:topology:host:index"}
_INTEGERS: Schema = {"type": "array", "items": {"type": "integer"}}
_PINNING: Schema = {"type": "object", "additionalProperties": {"type": "integer"}}
_NODE = closed(
    {
        "vcpu_set": _INTEGERS,
        "siblings": {"type": "array", "items": _INTEGERS},
        "memory_mb": {"type": "integer"},
        "host_node": {"type": "integer"} | _HOST,
        "cpu_pinning": _PINNING | _HOST,
    },
    optional=["host_node", "cpu_pinning"],
)
TOPOLOGY = closed({"nodes": {"type": "array", "items": _NODE}, "pagesize_kb": {"type": ["integer", "null"]}})

index_query_2_78 = pt.any_query_at_all
index_query_2_102 = pt.no_query
index_output_2_78 = TOPOLOGY
