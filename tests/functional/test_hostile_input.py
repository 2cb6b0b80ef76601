"""Whatever a client sends to any operation, it is answered in the range of 400 to 499 or it works; never with a 500."""

from __future__ import annotations

import re
from typing import Any

import pytest

from nova_lite.api.app import build_table
from nova_lite.api.operations import Operation
from nova_lite.api.policy import PolicyEngine
from nova_lite.api.versions import Version
from tests.functional.cloud import ADMIN, IMAGE_ID, Cloud

TABLE = build_table(None, PolicyEngine(None).registered)
JUNK: list[Any] = [
    None,
    True,
    0,
    -1,
    2**63,
    2**64,
    1.5,
    1e308,
    "",
    "x",
    "\x00",
    "\ud7ff",
    "x" * 70000,
    "9" * 5000,
    "²",
    [],
    {},
    [[[]]],
    {"": {"": None}},
]
QUERIES = ["?limit=²&marker=%00", "?limit=" + "9" * 4000, "?%FF=%FF", "?" + "a&" * 150, "?user_id=%00", "?name=["]
FIELDS = ["x", "%00", "%FF", "²", "-1", "9" * 400, IMAGE_ID, "..", "42", "host1"]


def _ids(operation: Operation) -> str:
    return operation.name


def _path(operation: Operation, major: int, known: dict[str, str], field: str | None = None) -> str:
    """The operation's path: with names that exist where there are some, or with ``field`` everywhere."""
    return re.sub(r"\{([a-z_]+)\}", lambda match: field or known.get(match[1], "42"), operation.paths[major])


def _fill(schema: Any, junk: Any) -> Any:
    """A document of the schema's outer shape with ``junk`` for every innermost value."""
    if isinstance(schema, dict) and schema.get("properties"):
        return {name: _fill(inner, junk) for name, inner in schema["properties"].items()}
    return junk


@pytest.mark.parametrize("operation", TABLE.operations, ids=_ids)
def test_no_input_is_a_500(cloud: Cloud, operation: Operation) -> None:
    known = {"server_id": cloud.add_server("victim"), "image_id": IMAGE_ID}
    ends = {version.major: version for version in operation.versions}
    starts = {version.major: version for version in reversed(operation.versions)}
    for major, version in [*starts.items(), *ends.items()]:
        history = operation.prepared.schemas.input if operation.prepared.schemas else None
        entry = history.at(version) if history else None
        schema = entry.schema if entry else None
        for junk in JUNK:
            body = _fill(schema, junk) if schema else junk
            _send(cloud, operation, version, _path(operation, major, known), body)
        for field in FIELDS:
            _send(cloud, operation, version, _path(operation, major, known, field), _fill(schema, "1"))
        for query in QUERIES:
            _send(cloud, operation, version, _path(operation, major, known) + query, None)


def _send(cloud: Cloud, operation: Operation, version: Version, path: str, json: Any) -> None:
    body = {} if operation.method in ("GET", "DELETE") else {"json": json}
    answer = cloud(operation.method, path, str(version), ADMIN, **body)
    # 501: nothing here can do it; 503: there is no agent to ask.
    status = answer.status_code
    assert status < 500 or status in (501, 503), (operation.name, version, path, str(json)[:200])


def test_a_nul_is_refused_before_any_database_sees_it(cloud: Cloud) -> None:
    assert cloud("GET", "/flavors/4%002", "2.1", ADMIN).status_code == 404
    assert cloud("GET", "/os-keypairs?user_id=u%001", "2.10", ADMIN).status_code == 400
    path = "/flavors/42/os-extra_specs"
    for body, status in (
        (r'{"extra_specs": {"a": "\u0000"}}', 400),
        (r'{"extra_specs": {"a": "x\\\u0000"}}', 400),
        (r'{"extra_specs": {"a": "\\u0000"}}', 200),  # a backslash, then plain letters
    ):
        answer = cloud("POST", path, "2.1", ADMIN, body=body)
        assert answer.status_code == status
        assert status == 200 or "NUL" in answer.json["badRequest"]["message"]
    assert cloud("GET", path).json == {"extra_specs": {"a": r"\u0000"}}
