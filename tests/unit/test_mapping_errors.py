"""Mistakes in ext:mapping are found when the schema is compiled, and the message says what to do."""

from __future__ import annotations

import pytest

from nova_lite.api.mapping import MappingError, compile_input

STRING = {"type": "string"}


def obj(properties, **extra):
    return {"type": "object", "properties": properties, "additionalProperties": False} | extra


def listing(item, **extra):
    return {"type": "array", "items": item, **extra}


INNER = obj({"uuid": STRING})
NULL = {"type": "null"}


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        (
            obj({"a": STRING, "b": STRING}, **{"ext:mapping": {"a": "b"}}),
            "'a' and 'b' both have the flat name 'b': rename one with ext:mapping",
        ),
        (
            obj({"server": obj({"id": STRING}), "flavor": obj({"id": STRING})}),
            "'server/id' and 'flavor/id' both have the flat name 'id'",
        ),
        (
            obj({"list": listing(obj({"a": STRING, "b": STRING}, **{"ext:mapping": {"a": "b"}}))}),
            "'list[]/a' and 'list[]/b' both have the flat name 'b'",
        ),
        (
            obj({"server": obj({"imageRef": STRING})}, **{"ext:mapping": {"imageref": "image"}}),
            "no readable property 'imageref' in the document; did you mean 'imageRef'?",
        ),
        (obj({"a": STRING}, **{"ext:mapping": {"zzz": "z"}}), "drop it, or add the property"),
        (
            obj({"networks": listing(INNER), "disks": listing(INNER)}, **{"ext:mapping": {"uuid": "id"}}),
            "'uuid' is ambiguous: it could be disks[]/uuid or networks[]/uuid; write one of these paths",
        ),
        (obj({"server": INNER}, **{"ext:mapping": {"server": "s"}}), "is an object that is entered"),
        (obj({"server": INNER}, **{"ext:mapping": {"server/name": "s"}}), "no readable property 'name' in server"),
        (
            obj({"nets": listing(INNER)}, **{"ext:mapping": {"nets/uuid": "s"}}),
            "'nets' is a list of objects, write 'nets[]'",
        ),
        (obj({"a": STRING}, **{"ext:mapping": {"a/b": "s"}}), "no readable property 'a'"),
        (obj({"a": NULL}, **{"ext:mapping": {"a": "s"}}), "can only be null and carries nothing"),
        (obj({"a": {"ext:ignored": True}}, **{"ext:mapping": {"a": "s"}}), "no readable property 'a'"),
        (obj({"a": STRING}, **{"ext:mapping": {"a": ""}}), "a flat name is a string"),
        (obj({"a": STRING}, **{"ext:mapping": {"*": "s"}}), "names a whole document"),
        (
            obj({"server": INNER | {"ext:mapping": {"uuid": "id"}}}, **{"ext:mapping": {"server/uuid": "other"}}),
            "'server/uuid' is named twice",
        ),
        (
            obj({"a": STRING | {"ext:mapping": {"x": "y"}}}),
            "'a' has an ext:mapping but is no object with fixed properties",
        ),
        (obj({"a": {"type": "object", "ext:mapping": {"x": "y"}}}), "map it from the object around it"),
        (obj({"a": STRING | {"ext:type": "int"}}), "ext:type 'int' is unknown; there are integer"),
        (obj({"a": STRING | {"ext:take": "last"}}), "ext:take is for arrays"),
        (obj({"a": listing(STRING, **{"ext:take": "first"})}), "ext:take 'first' is unknown"),
        (obj({"a": listing(INNER, **{"ext:take": "last"})}), "is a list of objects"),
        (obj({"a": INNER | {"default": {}}}), "move 'default' to its properties"),
        (obj({"a": INNER | {"ext:policy": "rule"}}), "move 'ext:policy' to its properties"),
        (obj({"a": {"ext:ignored": True, "ext:policy": "rule"}}), "never counts: drop one of the two"),
        (obj({"a": STRING | {"ext:refusal": "ignore"}}), "stands beside an ext:policy"),
        (obj({"a": listing(obj({"b": STRING | {"ext:policy": "rule"}}))}), "put it on the list"),
        (obj({"a": STRING}, required=["b"]), "'b' is required but has no schema"),
        ({"type": "object", "additionalProperties": STRING}, "name it as a whole: 'ext:mapping': {'*': 'some_name'}"),
        ({"type": "array"}, "must be of type 'object'"),
    ],
)
def test_a_mistake_is_refused_with_the_cure(schema, message):
    with pytest.raises(MappingError) as caught:
        compile_input(schema, "servers.create input 2.1")
    assert str(caught.value).startswith("servers.create input 2.1: ")
    assert message in str(caught.value)


def test_a_bare_name_means_the_direct_property_before_any_deeper_one():
    schema = obj(
        {"created": STRING, "fault": obj({"created": STRING}, **{"ext:mapping": {"created": "fault_created"}})}
    )
    mapper = compile_input(schema | {"ext:mapping": {"created": "created_at"}})
    assert mapper.paths() == {"created_at": "created", "fault_created": "fault/created"}
