"""Formats of migrate and os-migrateLive in 2.x."""

from __future__ import annotations

from nova_lite.schemas import parameter_types as pt
from nova_lite.schemas.parameter_types import Schema
from nova_lite.schemas.shapes import closed, wrapped

_HOST: Schema = pt.fqdn | {"type": ["string", "null"]}

migrate_input_2_1 = wrapped("migrate", pt.anything_ignored)
migrate_input_2_56 = wrapped("migrate", closed({"host": _HOST}, optional=["host"]) | {"type": ["object", "null"]})

_LIVE_2_1: dict[str, Schema] = {"block_migration": pt.boolean, "disk_over_commit": pt.boolean, "host": _HOST}
_LIVE_2_25: dict[str, Schema] = {
    "block_migration": {"type": ["boolean", "string"], "enum": [*pt.boolean["enum"], "auto"]},
    "host": _HOST,
}
_LIVE_2_30 = _LIVE_2_25 | {"force": pt.boolean}

migrate_live_input_2_1 = wrapped("os-migrateLive", closed(_LIVE_2_1))
migrate_live_input_2_25 = wrapped("os-migrateLive", closed(_LIVE_2_25))
migrate_live_input_2_30 = wrapped("os-migrateLive", closed(_LIVE_2_30, optional=["force"]))
migrate_live_input_2_68 = migrate_live_input_2_25
