"""The tables of the reference: keys of schemas in words, several versions in one table, what a version changed."""

from __future__ import annotations

from typing import Any

import pytest

from nova_lite.api.versions import Version
from nova_lite.reference import keys
from nova_lite.reference.facts import Step, describe
from nova_lite.schemas import parameter_types as types
from nova_lite.schemas.shapes import closed, listing, wrapped


def step(since: int, until: int, schema: dict[str, Any] | None) -> Step:
    return Step(Version(2, since), Version(2, until), schema)


def rows(*steps: Step) -> list[tuple[str, str, str | None]]:
    return [(row.key.path, str(row.since), row.until and str(row.until)) for row in keys.merge(list(steps))]


def test_keys_are_paths_through_objects_and_lists() -> None:
    schema = wrapped(
        "server", closed({"name": types.name, "networks": {"type": "array", "items": closed({"uuid": {}})}})
    )
    assert [key.path for key in keys.keys(schema)] == [
        "server",
        "server/name",
        "server/networks",
        "server/networks[]/uuid",
    ]


def test_any_branch_and_any_free_key_are_listed() -> None:
    schema = closed(
        {
            "networks": {"oneOf": [{"type": "array", "items": closed({"uuid": {}})}, {"enum": ["none", "auto"]}]},
            "metadata": types.metadata,
        }
    )
    found = {key.path: key.type for key in keys.keys(schema)}
    assert found["networks"] == "list of objects or `none` or `auto`"
    assert "networks[]/uuid" in found
    assert found["metadata/{key}"] == "string"


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({}, "any value"),
        ({"type": ["string", "null"]}, "string or null"),
        (types.non_negative_integer, "integer (also as a string)"),
        (types.boolean, "boolean (also as a string)"),
        ({"type": ["array", "null"], "items": {"type": "string"}}, "list of strings or null"),
        ({"anyOf": [{"type": "integer"}, {"const": ""}]}, 'integer or `""`'),
        (types.links, "list of links"),
    ],
)
def test_types_in_words(schema: dict[str, Any], words: str) -> None:
    assert keys.type_in_words(schema) == words


@pytest.mark.parametrize(
    ("schema", "note"),
    [
        ({"type": "string", "minLength": 1, "maxLength": 255}, "1 to 255 characters"),
        ({"type": "string", "maxLength": 1}, "at most 1 character"),
        ({"type": "integer", "minimum": 0}, "at least 0"),
        ({"type": "integer", "minimum": 1, "maximum": 9}, "1 to 9"),
        ({"type": "string", "enum": ["a", "b"]}, "one of `a`, `b`"),
        ({"type": "string", "pattern": "^[a|b]$"}, "matches `^[a|b]$`"),
        ({"type": "array", "items": {"type": "string", "maxLength": 60}}, "each at most 60 characters"),
        ({"type": "boolean", "default": False}, "default `false`"),
        ({"ext:ignored": True}, "accepted, but never read"),
        (types.uuid, "a uuid"),
    ],
)
def test_limits_in_words(schema: dict[str, Any], note: str) -> None:
    assert note in next(iter(keys.keys(closed({"key": schema})))).notes


def test_parameters_of_a_query_say_how_often_they_count() -> None:
    query = types.strict_query(
        {
            "limit": types.last(types.non_negative_integer),
            "status": types.multi(types.string),
            "host": types.single(types.string),
        }
    )
    found = {key.path: key for key in keys.query_keys(query)}
    assert found["limit"].type == "integer"
    assert found["limit"].notes == ("at least 0",)
    assert found["status"].notes == ("may be repeated",)
    assert found["host"].notes == ("at most once",)


def test_a_key_has_one_row_while_it_stays_the_same() -> None:
    old = closed({"name": types.string, "swap": {"type": "string"}})
    new = closed({"name": types.string, "swap": {"type": "integer"}, "tags": types.tags})
    assert rows(step(1, 18, old), step(19, 104, new)) == [
        ("name", "2.1", None),
        ("swap", "2.1", "2.18"),
        ("swap", "2.19", None),
        ("tags", "2.19", None),
    ]


def test_a_key_that_went_and_came_back_has_two_rows() -> None:
    without, tagged = closed({"name": types.string}), closed({"name": types.string, "tag": types.tag})
    found = rows(step(1, 31, without), step(32, 32, tagged), step(33, 41, without), step(42, 104, tagged))
    assert found == [("name", "2.1", None), ("tag", "2.32", "2.32"), ("tag", "2.42", None)]


def test_a_key_ends_with_the_body_that_held_it() -> None:
    assert rows(step(1, 13, closed({"adminPass": types.string})), step(14, 104, None)) == [("adminPass", "2.1", "2.13")]


def test_changes_name_the_outermost_key_only() -> None:
    server = {"name": types.string}
    new = listing("servers", closed(server | {"flavor": closed({"ram": types.string})}))
    change = keys.changes(listing("servers", closed(server)), new)
    assert change.gained == ["servers[]/flavor"]
    assert not change.lost
    assert not change.altered
    assert keys.changes(new, listing("servers", closed(server))).lost == ["servers[]/flavor"]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (closed({"a": types.string}), closed({"a": {"type": "integer"}}), "integer, no longer string"),
        (closed({"a": {}}, optional=["a"]), closed({"a": {}}), "now mandatory"),
        (closed({"a": {}}), closed({"a": {"ext:policy": "x:y"}}), "asks `x:y`"),
        (closed({"a": {"enum": ["u"]}}), closed({"a": {"enum": ["u", "v"]}}), "takes `v`"),
        (closed({"a": {"enum": ["u", "w"]}}), closed({"a": {"enum": ["w"]}}), "no longer takes `u`"),
        (closed({"a": {"type": "string", "maxLength": 3}}), closed({"a": {"type": "string"}}), "wider"),
    ],
)
def test_changes_say_what_became_of_a_key(old: dict[str, Any], new: dict[str, Any], words: str) -> None:
    assert keys.changes(old, new).altered == {"a": words}


def test_docstrings_lose_their_field_lists() -> None:
    found = describe("Show a thing.\n\nAll of it.\n\n:raises NotFound: there is none.")
    assert (found.summary, found.body) == ("Show a thing", "All of it.")
