"""Formats of quota sets in major 2."""

from __future__ import annotations

from nova_lite.schemas import parameter_types as types
from nova_lite.schemas.shapes import closed, wrapped
from nova_lite.schemas.v2_1 import _quotas

_user = {"user_id": types.any_query}
show_query_2_1 = types.lax_query(_user)
show_query_2_75 = types.strict_query(_user)
detail_query_2_1 = update_query_2_1 = delete_query_2_1 = show_query_2_1
detail_query_2_75 = update_query_2_75 = delete_query_2_75 = show_query_2_75


def _update(limits: dict) -> dict:
    properties = limits | {"force": types.boolean}
    return wrapped("quota_set", closed(properties, optional=properties))


update_input_2_1 = _update(_quotas.SETTABLE)
update_input_2_36 = _update(_quotas.SETTABLE_NO_NETWORK)
update_input_2_57 = _update(_quotas.SETTABLE_NO_FILES)

_id = {"id": types.string}
show_output_2_1 = wrapped("quota_set", closed(_id | _quotas.LIMITS))
show_output_2_36 = wrapped("quota_set", closed(_id | _quotas.LIMITS_NO_NETWORK))
show_output_2_57 = wrapped("quota_set", closed(_id | _quotas.LIMITS_NO_FILES))

defaults_output_2_1 = show_output_2_1
defaults_output_2_36 = show_output_2_36
defaults_output_2_57 = show_output_2_57

# The answer to a change does not name the project.
update_output_2_1 = wrapped("quota_set", closed(_quotas.LIMITS))
update_output_2_36 = wrapped("quota_set", closed(_quotas.LIMITS_NO_NETWORK))
update_output_2_57 = wrapped("quota_set", closed(_quotas.LIMITS_NO_FILES))


def _detail(limits: dict) -> dict:
    kinds = ("limit", "in_use", "reserved")
    details = {
        name: closed(dict.fromkeys(kinds, limit), mapping={kind: f"{name}_{kind}" for kind in kinds})
        for name, limit in limits.items()
    }
    return wrapped("quota_set", closed(_id | details))


detail_output_2_1 = _detail(_quotas.LIMITS)
detail_output_2_36 = _detail(_quotas.LIMITS_NO_NETWORK)
detail_output_2_57 = _detail(_quotas.LIMITS_NO_FILES)
