"""Formats of a server's NUMA topology in 3.x."""

from __future__ import annotations

from nova_lite.schemas import parameter_types as pt
from nova_lite.schemas.v2_1.server_topology import TOPOLOGY

index_query_3_0 = pt.no_query
index_output_3_0 = TOPOLOGY
