"""The few shapes that most documents are made of: closed objects, lone wrappers, listings.

Functions of data to data, so that a resource's module reads as names and types and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from nova_lite.schemas import parameter_types as types

Schema = dict[str, Any]


def closed(
    properties: Mapping[str, Schema], optional: Iterable[str] = (), mapping: Mapping[str, str] | None = None
) -> Schema:
    """An object with these properties and no others, all required but the ``optional`` ones.

    :param mapping: ``ext:mapping``; only paths that begin at one of the properties are taken, so that one
        mapping can serve every version of a document.
    """
    left_out = set(optional)
    unknown = left_out - set(properties)
    if unknown:
        raise ValueError(f"optional properties that the schema does not have: {', '.join(sorted(unknown))}")
    schema: Schema = {
        "type": "object",
        "properties": dict(properties),
        "required": [name for name in properties if name not in left_out],
        "additionalProperties": False,
    }
    if mapping:
        schema["ext:mapping"] = {
            path: flat for path, flat in mapping.items() if path.removeprefix("./").split("/")[0] in properties
        }
    return schema


def without(properties: Mapping[str, Schema], *names: str) -> dict[str, Schema]:
    """The properties but for ``names``, each of which must be there."""
    missing = [name for name in names if name not in properties]
    if missing:
        raise ValueError(f"cannot leave out what is not there: {', '.join(missing)}")
    return {name: schema for name, schema in properties.items() if name not in names}


def wrapped(name: str, schema: Schema) -> Schema:
    """``{name: ...}``: the lone wrapper around most of Nova's bodies."""
    return closed({name: schema})


def listing(name: str, item: Schema, next_links: bool = True) -> Schema:
    """``{name: [...]}``, with ``<name>_links`` to the next page where the listing comes in pages."""
    properties: dict[str, Schema] = {name: {"type": "array", "items": item}}
    if not next_links:
        return closed(properties)
    return closed(properties | {f"{name}_links": types.links}, optional=[f"{name}_links"])


def page(name: str, item: Schema) -> Schema:
    """Major 3's listing: ``{name: [...], "links": [...]}``, the links to the next page, where there is one."""
    return closed(
        {name: {"type": "array", "items": item}, "links": types.links},
        optional=["links"],
        mapping={"./links": f"{name}_links"},
    )
