"""Formats of keypairs in major 2."""

from __future__ import annotations

from nova_lite.schemas import parameter_types as types
from nova_lite.schemas.shapes import closed, listing, without, wrapped

_type = {"type": "string", "enum": ["ssh", "x509"]}

# 2.2 added the type, 2.10 the user an administrator acts for, 2.92 ended generated pairs.
_create_2_1 = {"name": types.keypair_name, "public_key": types.string}
_create_2_2 = _create_2_1 | {"type": _type}
_create_2_10 = _create_2_2 | {"user_id": types.string}
_create_2_92 = _create_2_10 | {"name": types.keypair_name_2_92}

create_input_2_1 = wrapped("keypair", closed(_create_2_1, optional=["public_key"]))
create_input_2_2 = wrapped("keypair", closed(_create_2_2, optional=["public_key", "type"]))
create_input_2_10 = wrapped("keypair", closed(_create_2_10, optional=["public_key", "type", "user_id"]))
create_input_2_92 = wrapped("keypair", closed(_create_2_92, optional=["type", "user_id"]))

# Of several user_id the first counts, as in Nova; the policy's target is found in the same way.
_user = {"user_id": types.multi(types.string)}
index_query_2_1 = types.any_query_at_all
index_query_2_10 = types.lax_query(_user)
index_query_2_35 = types.lax_query(_user | types.pagination)
index_query_2_75 = types.strict_query(_user | types.pagination)

show_query_2_1 = types.any_query_at_all
show_query_2_10 = types.lax_query(_user)
show_query_2_75 = types.strict_query(_user)

delete_query_2_1 = show_query_2_1
delete_query_2_10 = show_query_2_10
delete_query_2_75 = show_query_2_75

_brief_2_1 = {"name": types.string, "public_key": types.string, "fingerprint": types.string}
_brief_2_2 = _brief_2_1 | {"type": _type}

_created_2_1 = _brief_2_1 | {"user_id": types.string, "private_key": types.string}
_created_2_2 = _created_2_1 | {"type": _type}
_created_2_92 = without(_created_2_2, "private_key")

_full_2_1 = _brief_2_1 | {
    "user_id": types.string,
    "id": {"type": "integer"},
    "created_at": types.naive_timestamp,
    "updated_at": types.naive_timestamp_or_null,
    "deleted": {"type": "boolean"},
    "deleted_at": types.naive_timestamp_or_null,
}
_full_2_2 = _full_2_1 | {"type": _type}
# Without a zone, as Nova writes these two.
_naive_times = {"created_at": "created_at_naive", "updated_at": "updated_at_naive"}

index_output_2_1 = listing("keypairs", wrapped("keypair", closed(_brief_2_1)), next_links=False)
index_output_2_2 = listing("keypairs", wrapped("keypair", closed(_brief_2_2)), next_links=False)
index_output_2_35 = listing("keypairs", wrapped("keypair", closed(_brief_2_2)))

create_output_2_1 = wrapped("keypair", closed(_created_2_1, optional=["private_key"]))
create_output_2_2 = wrapped("keypair", closed(_created_2_2, optional=["private_key"]))
create_output_2_92 = wrapped("keypair", closed(_created_2_92))

show_output_2_1 = wrapped("keypair", closed(_full_2_1, mapping=_naive_times))
show_output_2_2 = wrapped("keypair", closed(_full_2_2, mapping=_naive_times))
