"""Formats of keypairs in major 3."""

from __future__ import annotations

from nova_lite.schemas import parameter_types as types
from nova_lite.schemas.shapes import closed, page, wrapped

_type = {"type": "string", "enum": ["ssh", "x509"]}
_create = {
    "name": types.keypair_name_2_92,
    "type": _type,
    "public_key": types.string,
    "user_id": types.string,
}
create_input_3_0 = wrapped("keypair", closed(_create, optional=["type", "user_id"]))

_user = {"user_id": types.multi(types.string) | {"maxItems": 1}}
index_query_3_0 = types.strict_query(_user | types.pagination)
show_query_3_0 = types.strict_query(_user)
delete_query_3_0 = show_query_3_0

_brief = {
    "name": types.string,
    "type": _type,
    "public_key": types.string,
    "fingerprint": types.string,
}
_full = _brief | {"user_id": types.string, "created_at": types.timestamp}

index_output_3_0 = page("keypairs", closed(_brief))
create_output_3_0 = wrapped("keypair", closed(_full))
show_output_3_0 = create_output_3_0
