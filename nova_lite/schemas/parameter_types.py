"""Types that schemas of several resources share: names, numbers, references, query parameters, times, links.

What Nova accepts, this accepts. Numbers and booleans may come as strings where Nova takes them so;
``ext:type`` turns them into the real thing, so that controllers see ``int`` and ``bool`` only. ``minimum`` and
``maximum`` hold for digit strings too (see validation.py). Compose with ``|``: ``string | {"maxLength": 10}``.
"""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]

# ---- strings and names ----------------------------------------------------------------------------------

string: Schema = {"type": "string"}
string_or_null: Schema = {"type": ["string", "null"]}
null: Schema = {"type": "null"}
# Beside the name of an old action: any value at all, never looked at.
anything_ignored: Schema = {"ext:ignored": True}

# Printable characters, no space at either end (the format's own message says so).
name: Schema = {"type": "string", "format": "name", "minLength": 1, "maxLength": 255}
# The same with spaces at the ends allowed, as Nova's v2.0 compatible endpoint took them.
name_with_leading_trailing_spaces: Schema = name | {"format": "name_with_leading_trailing_spaces"}
name_or_none: Schema = {"type": ["string", "null"], "minLength": 1, "maxLength": 255}
description: Schema = {"type": ["string", "null"], "format": "printable", "minLength": 0, "maxLength": 255}

keypair_name: Schema = name | {"pattern": r"^[_\- a-zA-Z0-9]+$"}
keypair_name_2_92: Schema = name | {"pattern": r"^[_\-@. a-zA-Z0-9]+$"}

# One label of a host name (RFC 952 as relaxed by RFC 1123, section 2.1).
hostname: Schema = {
    "type": "string",
    "pattern": "^[a-zA-Z0-9]+[a-zA-Z0-9-]*[a-zA-Z0-9]+$",
    "minLength": 2,
    "maxLength": 63,
}
# A host as services are named; underscores occur in real installations.
fqdn: Schema = {"type": "string", "pattern": "^[a-zA-Z0-9-._]*$", "minLength": 1, "maxLength": 255}

availability_zone: Schema = {"type": "string", "format": "az_name", "minLength": 1, "maxLength": 255}
project_id: Schema = {"type": "string", "pattern": "^[a-zA-Z0-9-]*$", "minLength": 1, "maxLength": 255}
user_id: Schema = project_id
tag: Schema = {"type": "string", "pattern": "^[^,/]*$", "minLength": 1, "maxLength": 60}
tags: Schema = {"type": "array", "items": tag, "maxItems": 50}

# Secrets: validation never repeats their value in an error.
admin_password: Schema = {"type": "string", "ext:secret": True}
user_data: Schema = {"type": "string", "format": "base64", "maxLength": 65535, "ext:secret": True}

# ---- numbers and booleans, also as strings --------------------------------------------------------------

boolean: Schema = {
    "type": ["boolean", "string"],
    "enum": [
        *(True, "True", "TRUE", "true", "1", "ON", "On", "on", "YES", "Yes", "yes"),
        *(False, "False", "FALSE", "false", "0", "OFF", "Off", "off", "NO", "No", "no"),
    ],
    "ext:type": "boolean",
}

MAX_INT = 0x7FFFFFFF  # what a 32-bit column of a database holds

non_negative_integer: Schema = {
    "type": ["integer", "string"],
    "pattern": "^[0-9]*$",
    "minLength": 1,
    "minimum": 0,
    "ext:type": "integer",
}
positive_integer: Schema = non_negative_integer | {"minimum": 1}
# The columns of a flavor, volume sizes.
bounded_non_negative_integer: Schema = {
    "type": ["integer", "string"],
    "pattern": "^[0-9]+$",
    "minimum": 0,
    "maximum": MAX_INT,
    "ext:type": "integer",
}
bounded_positive_integer: Schema = bounded_non_negative_integer | {"minimum": 1}

# ---- references -----------------------------------------------------------------------------------------

uuid: Schema = {"type": "string", "format": "uuid"}
# An empty image reference means: boot from a volume.
image_ref: Schema = {"type": "string", "format": "uuid_or_empty"}
flavor_ref: Schema = {"type": ["string", "integer"], "minLength": 1, "ext:type": "string"}
uri: Schema = {"type": "string", "format": "uri"}

# ---- addresses ------------------------------------------------------------------------------------------

ipv4: Schema = {"type": "string", "format": "ipv4"}
ipv6: Schema = {"type": "string", "format": "ipv6"}
ip_address: Schema = {"type": "string", "format": "ip"}
cidr: Schema = {"type": "string", "format": "cidr"}
mac_address: Schema = {"type": "string", "pattern": "^([0-9a-fA-F]{2})(:[0-9a-fA-F]{2}){5}$"}

# ---- free-form documents: leaves for ext:mapping -------------------------------------------------------

_METADATA_KEY = "^[a-zA-Z0-9-_:. ]{1,255}$"
metadata: Schema = {
    "type": "object",
    "patternProperties": {_METADATA_KEY: {"type": "string", "maxLength": 255}},
    "additionalProperties": False,
}
metadata_with_null: Schema = {
    "type": "object",
    "patternProperties": {_METADATA_KEY: {"type": ["string", "null"], "maxLength": 255}},
    "additionalProperties": False,
}
personality: Schema = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": {"path": {"type": "string"}, "contents": {"type": "string", "format": "base64"}},
        "additionalProperties": False,
    },
}
disk_config: Schema = {"type": "string", "enum": ["AUTO", "MANUAL"]}
trusted_image_certificates: Schema = {
    "type": ["array", "null"],
    "minItems": 1,
    "maxItems": 50,
    "uniqueItems": True,
    "items": {"type": "string", "minLength": 1},
}

# ---- queries: {name: [every value given]} --------------------------------------------------------------


def last(schema: Schema) -> Schema:
    """A parameter that may be repeated, of which the last value counts: most of Nova's parameters."""
    return {"type": "array", "items": schema, "ext:take": "last"}


def single(schema: Schema) -> Schema:
    """A parameter that may be given once only; the controller sees its value."""
    return {"type": "array", "items": schema, "maxItems": 1, "ext:take": "last"}


def multi(schema: Schema) -> Schema:
    """A parameter that may be repeated; the controller sees the list of its values."""
    return {"type": "array", "items": schema}


# Values of old parameters that Nova never checked.
any_query: Schema = last(string)
regex_query: Schema = last({"type": "string", "format": "regex"})
pagination: dict[str, Schema] = {"limit": last(non_negative_integer), "marker": last(string)}


def lax_query(properties: dict[str, Schema], mapping: dict[str, str] | None = None) -> Schema:
    """A query of the older versions: keys it does not know are accepted and never read."""
    return _query(properties, mapping) | {"additionalProperties": True}


def strict_query(properties: dict[str, Schema], mapping: dict[str, str] | None = None) -> Schema:
    """A query that refuses keys it does not know."""
    return _query(properties, mapping) | {"additionalProperties": False}


def _query(properties: dict[str, Schema], mapping: dict[str, str] | None) -> Schema:
    return {"type": "object", "properties": properties} | ({"ext:mapping": mapping} if mapping else {})


no_query: Schema = strict_query({})
any_query_at_all: Schema = lax_query({})

# ---- output ---------------------------------------------------------------------------------------------

timestamp: Schema = {"type": "string", "format": "date-time"}
timestamp_or_null: Schema = {"type": ["string", "null"], "format": "date-time"}
# Without a zone, as Nova writes many: no date-time (RFC 3339) to those who look closely.
_naive = {"pattern": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}$"}
naive_timestamp: Schema = {"type": "string"} | _naive
naive_timestamp_or_null: Schema = {"type": ["string", "null"]} | _naive

link: Schema = {
    "type": "object",
    "properties": {
        "rel": {"type": "string"},
        "href": {"type": "string", "format": "uri"},
        "type": {"type": "string"},
    },
    "required": ["rel", "href"],
    "additionalProperties": False,
}
links: Schema = {"type": "array", "items": link}
