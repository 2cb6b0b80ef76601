"""Formats of events from outside in major 2."""

from __future__ import annotations

from nova_lite.schemas import parameter_types as types
from nova_lite.schemas.shapes import closed, listing

_names_2_1 = ["network-changed", "network-vif-plugged", "network-vif-unplugged", "network-vif-deleted"]
_names_2_51 = [*_names_2_1, "volume-extended"]
_names_2_76 = [*_names_2_51, "power-update"]
_names_2_82 = [*_names_2_76, "accelerator-request-bound"]
_names_2_93 = [*_names_2_82, "volume-reimaged"]


def _event(names: list[str]) -> dict[str, types.Schema]:
    return {
        "name": {"type": "string", "enum": names},
        "server_uuid": types.uuid,
        "status": {"type": "string", "enum": ["failed", "completed", "in-progress"]},
        "tag": {"type": "string", "maxLength": 255},
    }


def _input(names: list[str]) -> dict:
    event = closed(_event(names), optional=["status", "tag"])
    return closed({"events": {"type": "array", "minItems": 1, "items": event}})


def _output(names: list[str]) -> dict:
    told = _event(names) | {"code": {"type": "integer", "enum": [200, 400, 404, 422]}}
    return listing("events", closed(told, optional=["tag"]), next_links=False)


create_input_2_1 = _input(_names_2_1)
create_input_2_51 = _input(_names_2_51)
create_input_2_76 = _input(_names_2_76)
create_input_2_82 = _input(_names_2_82)
create_input_2_93 = _input(_names_2_93)

create_output_2_1 = _output(_names_2_1)
create_output_2_51 = _output(_names_2_51)
create_output_2_76 = _output(_names_2_76)
create_output_2_82 = _output(_names_2_82)
create_output_2_93 = _output(_names_2_93)
