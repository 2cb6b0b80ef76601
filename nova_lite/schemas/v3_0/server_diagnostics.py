"""Formats of a server's diagnostics in 3.x: 2.48's."""

from __future__ import annotations

from nova_lite.schemas import parameter_types as pt
from nova_lite.schemas.v2_1.server_diagnostics import STANDARD

index_query_3_0 = pt.no_query
index_output_3_0 = STANDARD
