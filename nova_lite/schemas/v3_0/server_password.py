"""Formats of the password that a guest left in 3.x."""

from __future__ import annotations

from nova_lite.schemas import parameter_types as pt
from nova_lite.schemas.shapes import wrapped

index_query_3_0 = pt.no_query
index_output_3_0 = wrapped("password", pt.string)
