"""The OpenAPI 3.1 document of the VMM's REST API, from the endpoint table and the schemas."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import nova_lite
from nova_lite.hv.vmm.config import DEFS
from nova_lite.hv.vmm.http_api import BASE, ENDPOINTS, Endpoint


def document() -> dict[str, Any]:
    """Every path, with what goes in and out."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "nova-lite-vmm",
            "version": nova_lite.__version__,
            "description": "One virtual machine on KVM, in Cloud Hypervisor's paths, on a UNIX socket.",
        },
        "servers": [{"url": "http://localhost" + BASE.rstrip("/")}],
        "paths": {f"/{name}": {e.method.lower(): _operation(name, e)} for name, e in ENDPOINTS.items()},
        "components": {"schemas": {name: _translate(schema) for name, schema in DEFS.items()}},
    }


def _operation(name: str, endpoint: Endpoint) -> dict[str, Any]:
    if endpoint.answer is None:
        responses: dict[str, Any] = {"204": {"description": "Done."}}
    else:
        kind = "application/x-ndjson" if name == "vm.events" else "application/json"
        responses = {"200": {"description": "The answer.", "content": {kind: {"schema": _reference(endpoint.answer)}}}}
    if name.startswith("vm.add-"):
        responses["204"] = {"description": "Done, for the next start: the machine is off."}
    error = {"application/json": {"schema": _reference("Error")}}
    for code in sorted({400, 500, *endpoint.codes}):
        responses[str(code)] = {"description": HTTPStatus(code).phrase, "content": error}
    operation: dict[str, Any] = {"operationId": name, "summary": endpoint.summary, "responses": responses}
    if endpoint.body is not None:
        content = {"application/json": {"schema": _reference(endpoint.body)}}
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _reference(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def _translate(node: Any) -> Any:
    """Our schema in OpenAPI's place for it: references moved, extension keywords in its spelling."""
    if isinstance(node, dict):
        return {
            key.replace("ext:", "x-"): value.replace("#/$defs/", "#/components/schemas/")
            if key == "$ref"
            else _translate(value)
            for key, value in node.items()
        }
    if isinstance(node, list):
        return [_translate(item) for item in node]
    return node
