"""Formats of os-migrations in 2.x."""

from __future__ import annotations

from nova_lite.schemas import parameter_types as pt
from nova_lite.schemas.parameter_types import Schema
from nova_lite.schemas.shapes import closed, listing

_FILTERS_2_1: dict[str, Schema] = dict.fromkeys(
    ("hidden", "host", "instance_uuid", "source_compute", "status", "migration_type"), pt.any_query
)
# Never in Nova's schema before 2.80, and read all the same.
_OWNERS: dict[str, Schema] = {"user_id": pt.any_query, "project_id": pt.any_query}
_TIME: Schema = pt.single(pt.timestamp | {"ext:type": "datetime"})
_FILTERS_2_59 = _FILTERS_2_1 | {
    "limit": pt.single(pt.non_negative_integer),
    "marker": pt.single(pt.string),
    "changes-since": _TIME,
}
_FILTERS_2_66 = _FILTERS_2_59 | {"changes-before": _TIME}
_FILTERS_2_80 = _FILTERS_2_66 | {"user_id": pt.single(pt.string), "project_id": pt.single(pt.string)}
_TIMES = {"changes-since": "changes_since", "changes-before": "changes_before"}

index_query_2_1 = pt.lax_query(_FILTERS_2_1 | _OWNERS)
index_query_2_59 = pt.strict_query(_FILTERS_2_59, {"changes-since": "changes_since"})
index_query_2_66 = pt.strict_query(_FILTERS_2_66, _TIMES)
index_query_2_80 = pt.strict_query(_FILTERS_2_80, _TIMES)

_MIGRATION_2_1: dict[str, Schema] = {
    "created_at": pt.naive_timestamp,
    "dest_compute": pt.string_or_null,
    "dest_host": pt.string_or_null,
    "dest_node": pt.string_or_null,
    "id": {"type": "integer"},
    "instance_uuid": pt.uuid,
    "new_instance_type_id": {"type": ["integer", "null"]},
    "old_instance_type_id": {"type": ["integer", "null"]},
    "source_compute": pt.string_or_null,
    "source_node": pt.string_or_null,
    "status": pt.string,
    "updated_at": pt.naive_timestamp_or_null,
}
# Links would be there for a live migration under way.
_MIGRATION_2_23 = _MIGRATION_2_1 | {"migration_type": pt.string}
_MIGRATION_2_59 = _MIGRATION_2_23 | {"uuid": pt.uuid}
_MIGRATION_2_80 = _MIGRATION_2_59 | {"project_id": pt.string_or_null, "user_id": pt.string_or_null}
_MAPPING = {"created_at": "created_at_naive", "updated_at": "updated_at_naive"}


def _migration(properties: dict[str, Schema]) -> Schema:
    return closed(properties, mapping=_MAPPING)


index_output_2_1 = listing("migrations", _migration(_MIGRATION_2_1), next_links=False)
index_output_2_23 = listing("migrations", _migration(_MIGRATION_2_23), next_links=False)
index_output_2_59 = listing("migrations", _migration(_MIGRATION_2_59))
index_output_2_80 = listing("migrations", _migration(_MIGRATION_2_80))
