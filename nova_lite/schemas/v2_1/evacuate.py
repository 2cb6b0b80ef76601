"""Formats of evacuate in 2.x: five requests and two answers. What changed in meaning is in the controller."""

from __future__ import annotations

from nova_lite.schemas import parameter_types as pt

_MAPPING = {"adminPass": "admin_password"}

evacuate_input_2_1 = {
    "type": "object",
    "properties": {
        "evacuate": {
            "type": "object",
            "properties": {
                "host": pt.fqdn,
                "onSharedStorage": pt.boolean,
                "adminPass": pt.admin_password,
            },
            "required": ["onSharedStorage"],
            "additionalProperties": False,
        },
    },
    "required": ["evacuate"],
    "additionalProperties": False,
    "ext:mapping": _MAPPING | {"onSharedStorage": "on_shared_storage"},
}

# The compute service finds out by itself whether storage is shared.
evacuate_input_2_14 = {
    "type": "object",
    "properties": {
        "evacuate": {
            "type": "object",
            "properties": {
                "host": pt.fqdn,
                "adminPass": pt.admin_password,
            },
            "additionalProperties": False,
        },
    },
    "required": ["evacuate"],
    "additionalProperties": False,
    "ext:mapping": _MAPPING,
}

# A given host is checked, unless the caller forces it.
evacuate_input_2_29 = {
    "type": "object",
    "properties": {
        "evacuate": {
            "type": "object",
            "properties": {
                "host": pt.fqdn,
                "adminPass": pt.admin_password,
                "force": pt.boolean,
            },
            "additionalProperties": False,
        },
    },
    "required": ["evacuate"],
    "additionalProperties": False,
    "ext:mapping": _MAPPING,
}

# A given host is always checked.
evacuate_input_2_68 = evacuate_input_2_14

# From 2.95 the server stays stopped at its new host: the same request, another meaning.

evacuate_output_2_1 = {
    "type": "object",
    "properties": {"adminPass": pt.string_or_null},
    "additionalProperties": False,
    "ext:mapping": _MAPPING,
}

evacuate_output_2_14 = None
