"""The page of the VMM's REST API: its paths, and every key of the documents that go in and out."""

from __future__ import annotations

import json
from typing import Any

from nova_lite.hv.vmm import openapi
from nova_lite.hv.vmm.config import DEFS
from nova_lite.hv.vmm.http_api import BASE, ENDPOINTS
from nova_lite.reference import markdown

PAGE, OPENAPI = "vmm.md", "vmm-openapi.json"


def pages() -> dict[str, str]:
    """File name → text."""
    return {PAGE: write(), OPENAPI: json.dumps(openapi.document(), indent=2) + "\n"}


def write() -> str:
    """The page; the same schemas always give the same text."""
    return markdown.page(
        "The VMM's REST API",
        "What `nova-lite-vmm` serves on its UNIX socket, in Cloud Hypervisor's names. Generated from the table of "
        "paths and from the schemas that requests are checked with; the same as an OpenAPI 3.1 document: "
        f"[{OPENAPI}]({OPENAPI}). What a guest finds in the machine is in `docs/vmm.md`.",
        markdown.heading(2, "Paths"),
        f"Below `http://localhost{BASE}`. Every error is a JSON array of sentences, outermost first.",
        markdown.table(
            ["Path", "What it does", "Body", "Answer", "Errors"],
            [
                [
                    markdown.code(f"{endpoint.method} {name}"),
                    endpoint.summary,
                    _link(endpoint.body),
                    _link(endpoint.answer) or "204, nothing",
                    ", ".join(map(str, sorted({400, 500, *endpoint.codes}))),
                ]
                for name, endpoint in ENDPOINTS.items()
            ],
        ),
        *(block for name, schema in DEFS.items() if "title" in schema for block in _object(name, schema)),
    )


def _object(name: str, schema: dict[str, Any]) -> list[str]:
    refused = ", ".join(map(markdown.code, schema.get("ext:not_supported", ())))
    return [
        markdown.heading(2, name, name.lower()),
        schema["description"] + (" Deprecated." if schema.get("deprecated") else ""),
        markdown.table(
            ["Key", "Value", "", "Meaning"],
            [
                [
                    markdown.code(key),
                    _values(value),
                    "required" if key in schema.get("required", ()) else "",
                    _description(value),
                ]
                for key, value in schema.get("properties", {}).items()
            ],
        ),
        f"Cloud Hypervisor's keys that are refused by name: {refused}." if refused else "",
    ]


def _values(schema: dict[str, Any]) -> str:
    """What a value may be."""
    if "$ref" in schema:
        target = _target(schema)
        return _values(target) if "properties" not in target else _link(schema["$ref"].rsplit("/", 1)[1])
    if "enum" in schema:
        return ", ".join(markdown.code(str(choice)) for choice in schema["enum"])
    kind = schema.get("type", "any")
    if kind == "array":
        most = f", at most {schema['maxItems']}" if "maxItems" in schema else ""
        return f"list of {_values(schema['items'])}{most}"
    if kind == "integer" and "minimum" in schema:
        return f"{schema['minimum']} to {schema['maximum']}" if "maximum" in schema else f"from {schema['minimum']} on"
    if "pattern" in schema:
        return f"string {markdown.code(schema['pattern'])}"
    return " or ".join(kind) if isinstance(kind, list) else str(kind)


def _description(schema: dict[str, Any]) -> str:
    found = schema.get("description", "")
    return str(found or (_description(_target(schema)) if "$ref" in schema else ""))


def _target(schema: dict[str, Any]) -> dict[str, Any]:
    node: Any = {"$defs": DEFS}
    for step in schema["$ref"].removeprefix("#/").split("/"):
        node = node[step]
    return dict(node)


def _link(name: str | None) -> str:
    return f"[{name}](#{name.lower()})" if name else ""
