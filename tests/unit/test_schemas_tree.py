"""Every schema in the tree: well-formed, strict, compiled the same by two validators, and mapped without loss."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest

from nova_lite import schemas
from nova_lite.api.formats import FORMATS
from nova_lite.api.mapping import compile_input, compile_output
from nova_lite.api.mapping_tree import Group, Items, Leaf, Null, is_entered
from nova_lite.api.validation import ValidationFailed, prepare
from nova_lite.api.validator import Validator
from nova_lite.schemas import Entry, History
from tests.unit.documents import document

DOCUMENTS = 12  # made up per schema

OPERATIONS = [operation for resource in schemas.resources() for operation in resource]
ENTRIES = [
    pytest.param(history, entry, id=f"{history}-{entry.base_version}")
    for operation in OPERATIONS
    for history in operation.histories()
    for entry in history
    if entry.schema is not None
]
each_schema = pytest.mark.parametrize(("history", "entry"), ENTRIES)
each_body = pytest.mark.parametrize(("history", "entry"), [e for e in ENTRIES if e.values[0].part == "input"])

KEYWORDS = {"mapping", "ignored", "type", "take", "policy", "refusal", "secret"}


def made_up(history: History, entry: Entry) -> Iterator[Any]:
    for seed in range(DOCUMENTS):
        yield document(entry.schema, random.Random(f"{history} {entry.base_version} {seed}"))


def nodes(schema: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every schema inside a schema, with where it stands."""
    if not isinstance(schema, dict):
        return
    yield path, schema
    for word in ("properties", "patternProperties"):
        for key, inner in schema.get(word, {}).items():
            yield from nodes(inner, f"{path}/{key}")
    for word in ("items", "additionalProperties"):
        yield from nodes(schema.get(word), f"{path}[]")
    for word in ("oneOf", "anyOf", "allOf"):
        for branch in schema.get(word, ()):
            yield from nodes(branch, path)


def test_there_are_schemas():
    assert len(ENTRIES) > 100


# ---- form -----------------------------------------------------------------------------------------------


@each_schema
def test_a_schema_is_valid_json_schema_with_known_ext_keywords(history, entry):
    jsonschema.Draft202012Validator.check_schema(entry.schema)
    for path, node in nodes(entry.schema):
        unknown = {key for key in node if key.startswith("ext:")} - {f"ext:{word}" for word in KEYWORDS}
        assert not unknown, f"{path}: {unknown}"
        assert node.get("format") in {None, "ipv4", "ipv6", *FORMATS}, f"{path}: nobody checks {node['format']}"


@each_body
def test_every_object_of_a_body_refuses_unknown_keys(history, entry):
    for path, node in nodes(entry.schema):
        if "properties" in node:
            free_form = not is_entered(node) and path
            assert node.get("additionalProperties") is False or free_form, f"{path} takes any key"


@each_schema
def test_an_entry_differs_from_the_one_before(history, entry):
    position = history.entries.index(entry)
    before = history.entries[position - 1] if position else None
    if before is not None and before.base_version.major == entry.base_version.major:
        assert entry.schema != before.schema, f"nothing changes at {entry.base_version}: drop the constant"


# ---- meaning --------------------------------------------------------------------------------------------


@each_schema
def test_made_up_documents_come_back_unchanged(history, entry):
    if history.part == "output":
        mapper = compile_output(entry.schema)
        for made in made_up(history, entry):
            assert mapper.unflatten(mapper.flatten(made)) == canonical(mapper.tree.root, made)
        return
    mapper = compile_input(entry.schema)
    exact = not any(
        isinstance(place, Leaf) and (place.convert or place.take_last) for place in mapper.tree.everything()
    )
    for made in made_up(history, entry):
        flat = mapper.flatten(made)
        assert flat.keys() <= mapper.names
        sent = mapper.unflatten(flat)
        assert mapper.flatten(sent) == flat
        if exact and "default" not in str(entry.schema):
            assert sent == canonical(mapper.tree.root, made)


def canonical(root: Any, made: Any) -> Any:
    """A document as unflatten writes it: without ignored keys, and without optional objects that hold nothing."""
    if not isinstance(root, Group):
        return made
    kept = {}
    for member in root.members:
        if member.key not in made:
            continue
        value = made[member.key]
        if isinstance(member, Null):
            if member.required:
                kept[member.key] = None
        elif isinstance(member, Group):
            inner = canonical(member, value) if value is not None else {}
            empty = not any(True for _ in _named_values(member, inner))
            if not empty or (member.required and not member.nullable):
                kept[member.key] = inner
            elif member.required:
                kept[member.key] = None
        elif isinstance(member, Items) and value is not None:
            kept[member.key] = [canonical(member.item, item) for item in value]
        else:
            kept[member.key] = value
    return kept


def _named_values(group: Group, node: dict[str, Any]) -> Iterator[Any]:
    for member in group.members:
        if member.key in node:
            if isinstance(member, Group):
                yield from _named_values(member, node[member.key] or {})
            elif not isinstance(member, Null):
                yield node[member.key]


@each_schema
def test_two_validators_agree_on_good_and_on_damaged_documents(history, entry):
    ours = Validator(entry.schema)
    second = second_opinion(entry.schema)
    for number, made in enumerate(made_up(history, entry)):
        assert ours.faults(made) == []
        assert second.is_valid(made)
        damaged = damage(made, random.Random(f"{history} {number}"))
        assert (ours.faults(damaged) == []) == second.is_valid(damaged), damaged


def damage(made: Any, dice: random.Random) -> Any:
    """The document with one thing changed, anywhere."""
    if isinstance(made, dict) and made and dice.random() < 0.8:
        key = dice.choice(sorted(made))
        return made | {key: damage(made[key], dice)}
    if isinstance(made, list) and made and dice.random() < 0.8:
        return [damage(made[0], dice), *made[1:]]
    return dice.choice([None, True, -1, 0, 1.5, 2**40, "", " x ", "x" * 300, "\x00", "0", [], {}, [{}], {"unknown": 1}])


def second_opinion(schema: Any) -> jsonschema.Draft202012Validator:
    """jsonschema with the same formats, and Nova's bounds for digit strings."""
    checker = jsonschema.FormatChecker(formats=["ipv4", "ipv6"])
    for name, (check, _) in FORMATS.items():
        checker.checks(name)(lambda value, check=check: not isinstance(value, str) or check(value))

    def bounded(keyword):
        original = jsonschema.Draft202012Validator.VALIDATORS[keyword]

        def check(validator, limit, instance, schema):
            if isinstance(instance, str) and "string" in schema.get("type", ()):
                try:
                    instance = float(instance)
                except ValueError:
                    return ()
            return original(validator, limit, instance, schema) or ()

        return check

    strict = jsonschema.validators.extend(
        jsonschema.Draft202012Validator, {word: bounded(word) for word in ("minimum", "maximum")}
    )
    return strict(schema, format_checker=checker)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_every_version_of_an_operation_can_be_prepared_and_compiled(operation):
    prepare(operation.name, operation, names_taken=None).check_all()


HOSTILE = [
    "",
    "x",
    "-1",
    "9" * 5000,
    "1e999",
    "\x00",
    "(",
    "((((a+)+)+)+)+$",
    "2016",
    "None",
    "💥",
    "true",
    "1_0",
    "NaN",
]


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_whatever_a_client_sends_is_taken_or_refused_and_never_breaks(operation):
    prepared = prepare(operation.name, operation, names_taken=None)
    dice = random.Random(operation.name)
    for history in filter(None, (operation.input, operation.query)):
        for entry in history:
            formats = prepared.at(entry.base_version)
            for _ in range(30 if entry.schema is not None else 0):
                body = document(operation.input.at(entry.base_version).schema, dice) if formats.has_input else None
                for _ in range(dice.randint(0, 3)):
                    body = damage(body, dice)
                names = list(entry.schema["properties"]) if history.part == "query" else []
                chosen = dice.sample([*names, "unknown"], k=min(len(names), 3)) if names else []
                query = {name: [dice.choice(HOSTILE) for _ in range(dice.randint(1, 3))] for name in chosen}
                with contextlib.suppress(ValidationFailed):
                    params = formats.read(query, body)
                    assert params.keys() <= prepared.names()
