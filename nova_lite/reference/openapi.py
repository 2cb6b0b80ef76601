"""One OpenAPI 3.1 document for one version of the API.

The POST of actions is one operation in OpenAPI; its body is one of the actions' bodies, marked with ``x-openstack``
as OpenStack's own code generator does it (docs.openstack.org/codegenerator).
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from nova_lite import __version__
from nova_lite.api import errors, versions
from nova_lite.api.versions import HEADER, SERVICE_TYPE, Version
from nova_lite.reference.examples import HOST
from nova_lite.reference.facts import PREFIXES, Fact, Reference, Served
from nova_lite.reference.openapi_schemas import Components, plain
from nova_lite.reference.transcript import ABSENT, transcript

Document = dict[str, Any]
_JSON = "application/json"


def document(reference: Reference, version: Version) -> Document:
    """The whole API at ``version``. The same input always gives the same document.

    :raises KeyError: there is no such version.
    """
    sentence = {entry.version: entry.sentence for entry in versions.HISTORY}[version]
    components = Components()
    there = [fact for facts in reference.resources.values() for fact in facts if fact.at(version)]
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "nova_lite Compute API",
            "version": str(version),
            "summary": f"The OpenStack Compute API at version {version}",
            "description": sentence,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
            "x-generator": f"nova-lite {__version__}",
        },
        "servers": [{"url": HOST + PREFIXES[version.major]}],
        "security": [{"token": []}],
        "tags": [{"name": name} for name in dict.fromkeys(fact.operation.resource for fact in there)],
        "paths": _paths(reference, there, version, components),
        "components": {
            "schemas": dict(sorted(components.schemas.items())) | {"Error": _error_schema(version.major)},
            "parameters": {"version": _version_header(version)},
            "responses": {_error_name(code): _error_response(code, version.major) for code in _codes(there, version)},
            "securitySchemes": {"token": {"type": "apiKey", "in": "header", "name": "X-Auth-Token"}},
        },
    }


def _paths(reference: Reference, facts: list[Fact], version: Version, components: Components) -> Document:
    paths: dict[str, Document] = {}
    actions: dict[tuple[str, str], list[Fact]] = {}
    for fact in facts:
        served = _served(fact, version)
        path, method = fact.operation.paths[version.major], fact.operation.method.lower()
        if served.action:
            actions.setdefault((path, method), []).append(fact)
        else:
            paths.setdefault(path, {})[method] = _operation(reference, fact, served, version, components)
    for (path, method), several in actions.items():
        paths.setdefault(path, {})[method] = _actions(reference, several, version, components)
    return {path: _parameters(path, facts, version) | paths[path] for path in sorted(paths)}


def _parameters(path: str, facts: list[Fact], version: Version) -> Document:
    served = next(_served(fact, version) for fact in facts if fact.operation.paths[version.major] == path)
    fields = [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in served.fields]
    return {"parameters": [{"$ref": "#/components/parameters/version"}, *fields]}


def _operation(reference: Reference, fact: Fact, served: Served, version: Version, components: Components) -> Document:
    made: Document = {
        "operationId": fact.name,
        "tags": [fact.operation.resource],
        "summary": fact.title,
        "description": fact.description.body,
        "x-policy": fact.operation.policy,
    }
    example = transcript(reference, fact, version)
    query = served.schema("query", version)
    if query is not None and query.get("properties"):
        made["parameters"] = [_query_parameter(name, given) for name, given in query["properties"].items()]
    body = served.schema("input", version)
    if body is not None:
        media: Document = {"schema": components.refer(f"{fact.name}.request", body), "example": example.body}
        made["requestBody"] = {"required": bool(body.get("required")), "content": {_JSON: media}}
    made["responses"] = {str(example.status): _success(fact, served, version, components, example.answer)}
    variant = fact.operation.at(version)
    if variant is not None:
        made["responses"] |= {str(code): {"description": HTTPStatus(code).phrase} for code in variant.other_statuses}
    made["responses"] |= {str(code): _error_reference(code) for code in fact.errors(version)}
    return {word: value for word, value in made.items() if value != ""}


def _query_parameter(name: str, given: Document) -> Document:
    """A list where every value counts, a plain value where one does."""
    one_counts = given.get("ext:take") == "last" or given.get("maxItems") == 1
    value = _as_sent(given.get("items", {}))
    schema = value if one_counts else plain(given) | {"items": value}
    made: Document = {"name": name, "in": "query", "schema": schema}
    if not one_counts:
        made |= {"style": "form", "explode": True}
    return made | {word: value for word, value in plain(given).items() if word.startswith("x-")}


def _as_sent(value: Document) -> Document:
    """Numbers arrive as text, which is why our schemas take strings too; for a client they are numbers."""
    if value.get("ext:type") not in ("integer", "number"):
        return plain(value)
    kept = {word: limit for word, limit in plain(value).items() if word not in ("pattern", "minLength", "maxLength")}
    return kept | {"type": value["ext:type"]}


def _success(fact: Fact, served: Served, version: Version, components: Components, answer: Any) -> Document:
    schema = served.schema("output", version)
    made: Document = {"description": fact.title}
    if schema is not None:
        media: Document = {"schema": components.refer(f"{fact.name}.response", schema)}
        if answer is not ABSENT:
            media["example"] = answer
        made["content"] = {_JSON: media}
    return made


def _actions(reference: Reference, facts: list[Fact], version: Version, components: Components) -> Document:
    """All actions of one path: one body of several, one answer of several."""
    bodies, examples, described = [], {}, []
    answers: dict[str, list[Document]] = {}
    codes: set[int] = set()
    for fact in facts:
        served = _served(fact, version)
        one = transcript(reference, fact, version)
        body = served.schema("input", version) or _free_action(str(served.action))
        bodies.append(components.refer(f"{fact.name}.request", body))
        examples[str(served.action)] = {"summary": fact.title, "value": one.body}
        described.append(
            {
                "action": served.action,
                "operationId": fact.name,
                "summary": fact.title,
                "status": one.status,
                "x-policy": fact.operation.policy,
                "body": bodies[-1],
            }
        )
        schema = served.schema("output", version)
        shown = answers.setdefault(str(one.status), [])
        if schema is not None and (known := components.refer(f"{fact.name}.response", schema)) not in shown:
            shown.append(known)
        codes |= set(fact.errors(version))
    responses: Document = {}
    for status in sorted(answers):
        responses[status] = {"description": "The action was accepted"}
        if found := answers[status]:
            responses[status]["content"] = {_JSON: {"schema": found[0] if len(found) == 1 else {"anyOf": found}}}
    responses |= {str(code): _error_reference(code) for code in sorted(codes)}
    path = facts[0].operation.paths[version.major].strip("/")
    return {
        "operationId": ".".join(part for part in path.split("/") if not part.startswith("{")),
        "tags": list(dict.fromkeys(fact.operation.resource for fact in facts)),
        "summary": "Act on one thing: the body's single key names the action",
        "description": "\n".join(f"- `{one['action']}`: {one['summary']}" for one in described),
        "requestBody": {
            "required": True,
            "content": {
                _JSON: {
                    "schema": {"oneOf": bodies, "x-openstack": {"discriminator": "action"}},
                    "examples": examples,
                }
            },
        },
        "responses": responses,
        "x-openstack-actions": described,
    }


def _free_action(action: str) -> Document:
    return {"type": "object", "properties": {action: {}}, "required": [action], "additionalProperties": False}


def _served(fact: Fact, version: Version) -> Served:
    served = fact.at(version)
    assert served is not None, f"{fact.name} does not exist at {version}"
    return served


def _version_header(version: Version) -> Document:
    return {
        "name": HEADER,
        "in": "header",
        "required": version != versions.default(version.major),
        "description": "The version that this document describes.",
        "schema": {"type": "string", "const": f"{SERVICE_TYPE} {version}"},
    }


# ---- errors ---------------------------------------------------------------------------------------------


def _codes(facts: list[Fact], version: Version) -> list[int]:
    return sorted({code for fact in facts for code in fact.errors(version)})


def _error_name(code: int) -> str:
    return errors.TITLES[code].replace(" ", "")


def _error_reference(code: int) -> Document:
    return {"$ref": f"#/components/responses/{_error_name(code)}"}


def _error_response(code: int, major: int) -> Document:
    example = errors.body(code, errors.TITLES[code], major, "req-5a4f0e2b-6f3a-4b43-9a57-0b5c3f8de1aa")
    media = {"schema": {"$ref": "#/components/schemas/Error"}, "example": example}
    return {"description": errors.TITLES[code], "content": {_JSON: media}}


def _error_schema(major: int) -> Document:
    """The form of ``errors.body``: Nova's, or the API-SIG's (specs.openstack.org/openstack/api-sig, errors)."""
    if major == 2:
        fault = {
            "type": "object",
            "properties": {"code": {"type": "integer"}, "message": {"type": "string"}},
            "required": ["code", "message"],
        }
        return {"type": "object", "minProperties": 1, "maxProperties": 1, "additionalProperties": fault}
    texts = {name: {"type": "string"} for name in ("request_id", "code", "title", "detail")}
    error = {
        "type": "object",
        "properties": texts | {"status": {"type": "integer"}, "links": {"type": "array", "items": {"type": "object"}}},
        "required": ["request_id", "code", "status", "title", "detail", "links"],
    }
    return {
        "type": "object",
        "properties": {"errors": {"type": "array", "items": error}},
        "required": ["errors"],
        "additionalProperties": False,
    }
