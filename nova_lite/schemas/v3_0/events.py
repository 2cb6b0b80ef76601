"""Format of the request for the event stream; what is in it is in docs/v3.md, as it is no JSON document."""

from __future__ import annotations

from nova_lite.db.changes import TYPES
from nova_lite.schemas import parameter_types as pt

index_query_3_0 = pt.strict_query(
    {
        "type": pt.multi({"type": "string", "enum": list(TYPES)}),
        "server_id": pt.single(pt.uuid),
        "all_projects": pt.single(pt.boolean),
        "last_event_id": pt.single(pt.non_negative_integer),
    },
    {"type": "types"},
)
