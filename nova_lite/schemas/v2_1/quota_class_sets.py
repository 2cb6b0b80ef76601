"""Formats of quota classes in major 2."""

from __future__ import annotations

from nova_lite.schemas import parameter_types as types
from nova_lite.schemas.shapes import closed, without, wrapped
from nova_lite.schemas.v2_1 import _quotas

_groups = ("server_groups", "server_group_members")  # could be set from the beginning, and were shown from 2.50 on


def _update(limits: dict) -> dict:
    return wrapped("quota_class_set", closed(limits, optional=limits))


update_input_2_1 = _update(_quotas.SETTABLE)
update_input_2_50 = _update(_quotas.SETTABLE_NO_NETWORK)
update_input_2_57 = _update(_quotas.SETTABLE_NO_FILES)

_id = {"id": types.string}
_limits_2_1 = without(_quotas.LIMITS, *_groups)
show_output_2_1 = wrapped("quota_class_set", closed(_id | _limits_2_1))
show_output_2_50 = wrapped("quota_class_set", closed(_id | _quotas.LIMITS_NO_NETWORK))
show_output_2_57 = wrapped("quota_class_set", closed(_id | _quotas.LIMITS_NO_FILES))

# The answer to a change does not name the class.
update_output_2_1 = wrapped("quota_class_set", closed(_limits_2_1))
update_output_2_50 = wrapped("quota_class_set", closed(_quotas.LIMITS_NO_NETWORK))
update_output_2_57 = wrapped("quota_class_set", closed(_quotas.LIMITS_NO_FILES))
