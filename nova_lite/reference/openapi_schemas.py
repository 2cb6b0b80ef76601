"""Schemas of this project as OpenAPI 3.1 takes them: plain JSON Schema 2020-12, shared parts in components."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from nova_lite.schemas import parameter_types

# Extension keywords that mean something to a client, and what they are called in the document.
_KEPT = {"ext:policy": "x-policy", "ext:secret": "x-secret", "ext:ignored": "x-ignored"}
_HOLDS_SCHEMAS = ("properties", "patternProperties")
_HOLDS_LISTS = ("oneOf", "anyOf", "allOf")
_HOLDS_ONE = ("items", "additionalProperties", "not")


def plain(schema: Any) -> Any:
    """A copy without ``ext:`` keywords, but for those a client can use."""
    if not isinstance(schema, Mapping):
        return schema
    made: dict[str, Any] = {}
    for word, value in schema.items():
        if word.startswith("ext:"):
            if word in _KEPT:
                made[_KEPT[word]] = value
        elif word in _HOLDS_SCHEMAS:
            made[word] = {name: plain(inner) for name, inner in value.items()}
        elif word in _HOLDS_LISTS:
            made[word] = [plain(inner) for inner in value]
        elif word in _HOLDS_ONE:
            made[word] = plain(value)
        else:
            made[word] = value
    return made


class Components:
    """The schemas that the document's operations refer to; equal ones are there once, under their first name."""

    def __init__(self) -> None:
        self.schemas: dict[str, Any] = {}
        self._names: dict[str, str] = {}
        self._shared = {
            _text(plain(schema)): name
            for name, schema in sorted(vars(parameter_types).items())
            if isinstance(schema, dict) and (schema.get("properties") or name == "links")
        }

    def refer(self, name: str, schema: Mapping[str, Any]) -> dict[str, str]:
        """A reference to ``schema``, which is added as ``name`` if no equal one is there."""
        return self._add(name, self._with_references(plain(schema)))

    def _add(self, name: str, schema: Any) -> dict[str, str]:
        known = self._names.setdefault(_text(schema), name)
        self.schemas[known] = schema
        return {"$ref": f"#/components/schemas/{known}"}

    def _with_references(self, schema: Any) -> Any:
        if isinstance(schema, list):
            return [self._with_references(value) for value in schema]
        if not isinstance(schema, dict):
            return schema
        inner = {word: self._with_references(value) for word, value in schema.items()}
        shared = self._shared.get(_text(schema))
        return self._add(shared, inner) if shared else inner


def _text(schema: Any) -> str:
    return json.dumps(schema, sort_keys=True)
