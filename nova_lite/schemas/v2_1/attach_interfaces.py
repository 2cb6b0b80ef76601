"""Formats of os-interface, the network cards of a server, in 2.x."""

from __future__ import annotations

from nova_lite.schemas import parameter_types as pt
from nova_lite.schemas.parameter_types import Schema
from nova_lite.schemas.shapes import closed, wrapped

_FIXED_IPS: Schema = {
    "type": ["array", "null"],
    "items": closed({"ip_address": pt.ip_address, "subnet_id": pt.uuid}),
}
_CARD_2_1: dict[str, Schema] = {
    "port_state": pt.string,
    "fixed_ips": _FIXED_IPS,
    "port_id": pt.uuid,
    "net_id": pt.uuid,
    "mac_addr": pt.mac_address,
}
_CARD_2_70 = _CARD_2_1 | {"tag": pt.string_or_null}
_NAMES = {"net_id": "network_id", "mac_addr": "mac_address"}

_WANTED_2_1: dict[str, Schema] = {
    "net_id": pt.uuid,
    "port_id": pt.uuid,
    "fixed_ips": {"type": "array", "minItems": 1, "maxItems": 1, "items": closed({"ip_address": pt.ip_address})},
}
_WANTED_2_49 = _WANTED_2_1 | {"tag": pt.tag}


def _card(card: dict[str, Schema]) -> Schema:
    return wrapped("interfaceAttachment", closed(card, mapping=_NAMES))


def _cards(card: dict[str, Schema]) -> Schema:
    return closed(
        {"interfaceAttachments": {"type": "array", "items": closed(card, mapping=_NAMES)}},
        mapping={"interfaceAttachments": "interfaces"},
    )


def _wanted(card: dict[str, Schema]) -> Schema:
    wanted = closed(card, optional=card, mapping={"net_id": "network_id"})
    return closed({"interfaceAttachment": wanted}, optional=["interfaceAttachment"])


index_query_2_1 = pt.any_query_at_all
index_query_2_102 = pt.no_query
index_output_2_1 = _cards(_CARD_2_1)
index_output_2_70 = _cards(_CARD_2_70)

show_query_2_1 = pt.any_query_at_all
show_query_2_102 = pt.no_query
show_output_2_1 = _card(_CARD_2_1)
show_output_2_70 = _card(_CARD_2_70)

create_input_2_1 = _wanted(_WANTED_2_1)
create_input_2_49 = _wanted(_WANTED_2_49)
create_output_2_1 = show_output_2_1
create_output_2_70 = show_output_2_70
