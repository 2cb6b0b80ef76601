"""The contract as text: the golden file, and the commands that print formats and their changes."""

from __future__ import annotations

import difflib
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from nova_lite import schemas
from nova_lite.cli.schema import schema
from nova_lite.schemas import contract

GOLDEN = Path(__file__).parent / "golden" / "contract.txt"


def run(*arguments, code=0):
    result = CliRunner().invoke(schema, arguments)
    assert result.exit_code == code, result.output
    return result.output


def test_no_released_version_has_changed_unseen():
    now = contract.golden(schemas.resources())
    changed = list(difflib.unified_diff(GOLDEN.read_text().splitlines(), now.splitlines(), lineterm="", n=2))
    assert not changed, "\n".join(["if this is meant: nova-lite schema golden --write", *changed[:60]])


def obj(properties, required=()):
    return {"type": "object", "properties": properties, "required": list(required), "additionalProperties": False}


@pytest.mark.parametrize(
    ("old", "new", "change"),
    [
        ({}, {"a": {"type": "string"}}, [("+", "a", "string")]),
        ({"a": {"type": "string"}}, {}, [("-", "a", "string")]),
        (
            {"a": {"type": "string"}},
            {"a": {"type": "string", "maxLength": 5}},
            [("~", "a", "string -> string ..5")],
        ),
        (
            {"n": {"type": "array", "items": obj({})}},
            {"n": {"type": "array", "items": obj({"tag": {"type": "string"}})}},
            [("+", "n[]/tag", "string")],
        ),
        ({"h": {}}, {"h": {"ext:policy": "rule"}}, [("~", "h", "anything -> policy rule")]),
        ({"h": {"type": "string"}}, {"h": {"type": "string"}}, []),
    ],
)
def test_what_a_version_changed_is_told_property_by_property(old, new, change):
    assert list(contract.changes(contract.lines(obj(old)), contract.lines(obj(new)))) == change


def test_becoming_required_is_a_change():
    old, new = obj({"a": {"type": "string"}}), obj({"a": {"type": "string"}}, ["a"])
    assert list(contract.changes(contract.lines(old), contract.lines(new))) == [
        ("~", "a", "string -> string, required")
    ]


def test_show_prints_the_schema_in_force():
    document = json.loads(run("show", "servers.create", "2.60"))
    assert document["input"]["since"] == "2.57"
    assert "tags" in document["input"]["schema"]["properties"]["server"]["properties"]
    assert json.loads(run("show", "servers.create", "2.60", "--part", "input")) == document["input"]["schema"]


def test_diff_prints_what_changed():
    assert "+ server/tags: array" in run("diff", "servers.create", "2.42", "2.52")
    assert "- server/tags: array" in run("diff", "servers.create", "2.52", "2.42")
    assert run("diff", "servers.create", "2.52", "2.53") == "No difference between 2.52 and 2.53.\n"
    unified = run("diff", "servers.create", "2.42", "2.52", "--unified").splitlines()
    assert any(line.startswith("+") and '"tags": {' in line for line in unified)


def test_list_names_operations_and_the_versions_that_changed_them():
    lines = run("list", "servers").splitlines()
    assert "servers.create" in lines
    assert next(line for line in lines if line.startswith("  input")).split()[1:3] == ["2.1,", "2.19,"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("show", "servers.crate", "2.1"), "did you mean create?"),
        (("show", "server.create", "2.1"), "no schemas for 'server'"),
        (("list", "server"), "no schemas for 'server'"),
    ],
)
def test_an_unknown_operation_is_a_clear_error(arguments, message):
    assert message in run(*arguments, code=1)


@pytest.mark.parametrize("version", ["2.105", "2.01", "x", "4.0"])
def test_an_unknown_version_is_a_usage_error(version):
    assert "Invalid value for 'VERSION'" in run("show", "servers.create", version, code=2)
