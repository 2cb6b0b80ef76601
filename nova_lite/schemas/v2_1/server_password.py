"""Formats of the password that a guest left in 2.x."""

from __future__ import annotations

from nova_lite.schemas import parameter_types as pt
from nova_lite.schemas.shapes import wrapped

index_query_2_1 = pt.any_query_at_all
index_query_2_102 = pt.no_query
index_output_2_1 = wrapped("password", pt.string)
