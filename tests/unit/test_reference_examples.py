"""Every example of the reference is what the API itself takes and gives, at every version that has one of its own."""

from __future__ import annotations

import re

import pytest

from nova_lite.api.versions import Version
from nova_lite.reference import build
from nova_lite.reference.examples import ExampleError, Maker, accepts, identifier, singular
from nova_lite.reference.facts import Fact
from nova_lite.reference.transcript import ABSENT, transcript
from nova_lite.schemas import parameter_types as types
from nova_lite.schemas.shapes import closed, listing, wrapped

REFERENCE = build.reference()
CASES = [(fact, version) for fact in REFERENCE.facts for served in fact.served for version in served.changed]


@pytest.mark.parametrize(("fact", "version"), CASES, ids=[f"{fact.name}-{version}" for fact, version in CASES])
def test_the_api_takes_the_request_and_the_answer_fits_its_schema(fact: Fact, version: Version) -> None:
    one = transcript(REFERENCE, fact, version)
    variant = fact.operation.at(version)
    assert variant is not None
    query = {name: [str(value) for value in given] for name, given in one.query.items()}
    variant.formats.read(query, None if one.body is ABSENT else one.body)
    served = fact.at(version)
    assert served is not None
    schema = served.schema("output", version)
    assert (one.answer is ABSENT) == (schema is None)
    if schema is not None:
        assert accepts(schema, one.answer)


def test_an_example_is_always_the_same() -> None:
    again = {fact.name: fact for fact in build.reference().facts}
    for fact, version in CASES[::7]:
        assert transcript(REFERENCE, fact, version) == transcript(REFERENCE, again[fact.name], version)


def test_what_a_version_brings_is_shown() -> None:
    schema = wrapped("server", closed({"name": types.name, "host": types.fqdn}, optional=["host"]))
    guarded = closed({"host": types.fqdn | {"ext:policy": "some:rule"}}, optional=["host"])
    assert Maker("input").document(schema) == {"server": {"name": "web1", "host": "compute1"}}
    assert Maker("input").document(guarded) == {}
    assert Maker("input", focus=frozenset({"host"})).document(guarded) == {"host": "compute1"}


def test_an_answer_repeats_what_the_request_said() -> None:
    answer = wrapped("flavor", closed({"name": types.string, "ram": {"type": "integer"}}))
    made = Maker("output", said={"flavor/name": "mine", "flavor/ram": "not a number"}).document(answer)
    assert made["flavor"]["name"] == "mine"
    assert isinstance(made["flavor"]["ram"], int)


def test_the_schema_s_own_example_wins() -> None:
    assert Maker("input").document(closed({"name": types.name | {"examples": ["chosen"]}})) == {"name": "chosen"}


def test_one_thing_has_one_identifier() -> None:
    made = Maker("output", thing="server").document(
        closed({"id": types.uuid, "instance_uuid": types.uuid, "image": closed({"id": types.uuid})})
    )
    assert made["id"] == made["instance_uuid"] == identifier("server")
    assert made["image"]["id"] == identifier("image") != made["id"]


def test_links_lead_to_the_thing_and_to_the_next_page() -> None:
    maker = Maker(
        "output",
        addresses={"flavor": "/flavors/{flavor_id}"},
        thing="flavor",
        marker="1",
        request="/v2.1/flavors?limit=1",
    )
    made = maker.document(listing("flavors", closed({"links": types.links})))
    assert made["flavors"][0]["links"][0]["href"].endswith("/v2.1/flavors/1")
    assert made["flavors_links"][0]["href"].endswith("/v2.1/flavors?limit=1&marker=1")


def test_a_key_without_a_believable_value_is_named() -> None:
    with pytest.raises(ExampleError, match=re.escape("'server/odd': add 'odd' to nova_lite/reference/values.py")):
        Maker("input").document(wrapped("server", closed({"odd": {"type": "string", "pattern": "^q[0-9]{7}$"}})))


@pytest.mark.parametrize(("many", "one"), [("flavors", "flavor"), ("properties", "property"), ("access", "access")])
def test_names_of_one_thing(many: str, one: str) -> None:
    assert singular(many) == one
