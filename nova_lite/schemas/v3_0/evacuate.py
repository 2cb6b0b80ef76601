"""Formats of evacuate in 3.x: 2.95's request in plain names; nothing comes back but the operation's Location."""

from __future__ import annotations

from nova_lite.schemas import parameter_types as pt

evacuate_input_3_0 = {
    "type": "object",
    "properties": {
        "evacuate": {
            "type": "object",
            "properties": {
                "host": pt.fqdn,
                "admin_password": pt.admin_password,
            },
            "additionalProperties": False,
        },
    },
    "required": ["evacuate"],
    "additionalProperties": False,
}
