"""Formats of remote consoles in 2.x: the older actions, and from 2.6 on one request for all."""

from __future__ import annotations

from nova_lite.schemas import parameter_types as pt
from nova_lite.schemas.shapes import Schema, closed, wrapped


def _one_of(*names: str) -> Schema:
    return {"type": "string", "enum": list(names)}


def _action(name: str, *types: str) -> Schema:
    return wrapped(name, closed({"type": _one_of(*types)}))


def _console(*types: str) -> Schema:
    return wrapped("console", closed({"type": _one_of(*types), "url": pt.uri}))


get_vnc_console_input_2_1 = _action("os-getVNCConsole", "novnc", "xvpvnc")
get_vnc_console_output_2_1 = _console("novnc", "xvpvnc")
get_spice_console_input_2_1 = _action("os-getSPICEConsole", "spice-html5")
get_spice_console_output_2_1 = _console("spice-html5")
get_rdp_console_input_2_1 = _action("os-getRDPConsole", "rdp-html5")
get_rdp_console_output_2_1 = _console("rdp-html5")
get_serial_console_input_2_1 = _action("os-getSerialConsole", "serial")
get_serial_console_output_2_1 = _console("serial")

_PROTOCOLS = ("vnc", "spice", "serial", "rdp")
_TYPES = ("novnc", "xvpvnc", "spice-html5", "serial", "rdp-html5")


def _both(protocols: tuple[str, ...], types: tuple[str, ...]) -> tuple[Schema, Schema]:
    """Request and answer with these protocols and types."""
    asked = {"protocol": _one_of(*protocols), "type": _one_of(*types)}
    return wrapped("remote_console", closed(asked)), wrapped("remote_console", closed(asked | {"url": pt.uri}))


create_input_2_6, create_output_2_6 = _both(_PROTOCOLS, _TYPES)
create_input_2_8, create_output_2_8 = _both((*_PROTOCOLS, "mks"), (*_TYPES, "webmks"))
create_input_2_99, create_output_2_99 = _both((*_PROTOCOLS, "mks"), (*_TYPES, "webmks", "spice-direct"))
