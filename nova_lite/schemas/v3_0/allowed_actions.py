"""Format of what a caller may do to a server now."""

from __future__ import annotations

from nova_lite.schemas import parameter_types as pt
from nova_lite.schemas.shapes import closed

index_query_3_0 = pt.no_query
index_output_3_0 = closed(
    {
        "allowed_actions": {
            "type": "array",
            "items": closed(
                {
                    "operation": pt.string,
                    "action": pt.string_or_null,
                    "method": pt.string,
                    "path": pt.string,
                    "allowed": {"type": "boolean"},
                    "refused_by": {"type": ["string", "null"], "enum": ["policy", "state", None]},
                    "reason": pt.string_or_null,
                }
            ),
        }
    }
)
