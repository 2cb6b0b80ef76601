"""Formats of a server's live migrations under way in 2.x."""

from __future__ import annotations

from nova_lite.schemas import parameter_types as pt
from nova_lite.schemas.parameter_types import Schema
from nova_lite.schemas.shapes import closed, listing, wrapped

_BYTES: Schema = {"type": ["integer", "null"], "minimum": 0}
_MIGRATION_2_23: dict[str, Schema] = {
    "created_at": pt.string,
    "dest_compute": pt.string_or_null,
    "dest_host": pt.string_or_null,
    "dest_node": pt.string_or_null,
    "disk_processed_bytes": _BYTES,
    "disk_remaining_bytes": _BYTES,
    "disk_total_bytes": _BYTES,
    "id": {"type": "integer"},
    "memory_processed_bytes": _BYTES,
    "memory_remaining_bytes": _BYTES,
    "memory_total_bytes": _BYTES,
    "server_uuid": pt.uuid,
    "source_compute": pt.string_or_null,
    "source_node": pt.string_or_null,
    "status": pt.string,
    "updated_at": pt.string_or_null,
}
_MIGRATION_2_59 = _MIGRATION_2_23 | {"uuid": pt.uuid}
_MIGRATION_2_80 = _MIGRATION_2_59 | {"project_id": pt.string_or_null, "user_id": pt.string_or_null}

index_query_2_23 = pt.any_query_at_all
index_query_2_102 = pt.no_query
index_output_2_23 = listing("migrations", closed(_MIGRATION_2_23), next_links=False)
index_output_2_59 = listing("migrations", closed(_MIGRATION_2_59), next_links=False)
index_output_2_80 = listing("migrations", closed(_MIGRATION_2_80), next_links=False)

show_query_2_23 = pt.any_query_at_all
show_query_2_102 = pt.no_query
show_output_2_23 = wrapped("migration", closed(_MIGRATION_2_23))
show_output_2_59 = wrapped("migration", closed(_MIGRATION_2_59))
show_output_2_80 = wrapped("migration", closed(_MIGRATION_2_80))

force_complete_input_2_22 = wrapped("force_complete", pt.null)
