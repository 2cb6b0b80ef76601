"""Formats of migrate and live_migrate in 3.x."""

from __future__ import annotations

from nova_lite.schemas import parameter_types as pt
from nova_lite.schemas.parameter_types import Schema
from nova_lite.schemas.shapes import closed, wrapped

_TO_HOST: Schema = closed({"host": pt.fqdn}, optional=["host"]) | {"type": ["object", "null"]}

migrate_input_3_0 = wrapped("migrate", _TO_HOST)
migrate_live_input_3_0 = wrapped("live_migrate", _TO_HOST)
