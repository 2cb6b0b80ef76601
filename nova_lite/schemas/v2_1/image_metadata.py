"""Formats of image properties in major 2, gone at 2.39."""

from __future__ import annotations

from nova_lite.schemas import parameter_types as types
from nova_lite.schemas.shapes import wrapped

_properties = {"type": "object", "additionalProperties": {}}

index_query_2_1 = types.any_query_at_all
show_query_2_1 = types.any_query_at_all

index_output_2_1 = wrapped("metadata", _properties)
show_output_2_1 = wrapped("meta", _properties)
