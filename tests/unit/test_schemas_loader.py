"""Schemas found by name: which constant is in force at a version, and names that no request could find."""

from __future__ import annotations

import pytest

from nova_lite import schemas
from nova_lite.api.versions import Version
from nova_lite.schemas import SchemaNameError, v2_1, v3_0

BODY = '{"type": "object", "properties": {"a": {"enum": [%d]}}, "additionalProperties": False}'


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Write modules of a throw-away resource into both majors' folders; gives the resource's name."""
    for package, folder in ((v2_1, "two"), (v3_0, "three")):
        (tmp_path / folder).mkdir()
        monkeypatch.setattr(package, "__path__", [*package.__path__, str(tmp_path / folder)])
    monkeypatch.setattr(schemas, "_resources", {})

    def write(two=None, three=None, name=f"things_{tmp_path.name}"):
        name = "".join(c if c.isalnum() else "_" for c in name).lower()
        for folder, text in (("two", two), ("three", three)):
            if text is not None:
                (tmp_path / folder / f"{name}.py").write_text(text)
        return name

    return write


def constants(**values):
    return "\n".join(f"{name} = {BODY % number if number else None}" for name, number in values.items())


def test_the_newest_schema_not_above_the_version_is_in_force(write):
    name = write(constants(do_input_2_1=1, do_input_2_19=2, do_input_2_68=None), constants(do_input_3_0=3))
    history = getattr(schemas, name).do.input
    bases = {
        version: entry.base_version if (entry := history.at(Version.parse(version))) else None
        for version in ("2.1", "2.18", "2.19", "2.67", "2.68", "2.104", "3.0")
    }
    assert bases == {
        "2.1": (2, 1),
        "2.18": (2, 1),
        "2.19": (2, 19),
        "2.67": (2, 19),
        "2.68": (2, 68),
        "2.104": (2, 68),
        "3.0": (3, 0),
    }
    assert history.at((2, 104)).schema is None


def test_a_major_never_sees_the_schemas_of_the_other(write):
    two = getattr(schemas, write(constants(do_input_2_1=1)))
    assert two.do.input.at((3, 0)) is None
    assert two.do.query is None


def test_a_resource_of_one_major_alone_is_a_resource(write):
    assert getattr(schemas, write(three=constants(do_output_3_0=1))).do.output.at((3, 0))


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (constants(do_input_2_999=1), "version 2.999 does not exist; add it to versions.HISTORY first"),
        (constants(do_input_3_0=1), "v2_1 holds versions 2.x only; a schema of 3.0 belongs into v3_0"),
        (constants(do_input_2_01=1), "without leading zeros"),
        (constants(do_input_2_19=1, do_input_2_1=2), "put the oldest first"),
        (constants(do_inputs_2_1=1), "name a fragment _do_inputs_2_1 or DO_INPUTS_2_1"),
        (constants(do_input=1), "not of the form"),
        ("do_input_2_1 = {'type': 'array'}", "must be a schema with 'type': 'object'"),
        ("do_input_2_1 = 'x'", "must be a schema"),
    ],
)
def test_a_constant_that_no_request_could_find_is_refused(write, module, message):
    name = write(module)
    with pytest.raises(SchemaNameError) as caught:
        getattr(schemas, name)
    assert message in str(caught.value)
    assert f"v2_1.{name}." in str(caught.value)


def test_fragments_helpers_and_imports_are_free(write):
    text = "import re\nfrom nova_lite.schemas import parameter_types as types\n_part = {}\nPART = {}\n"
    name = write(text + "def make(x): return x\n" + constants(do_input_2_1=1))
    assert list(getattr(schemas, name).operations) == ["do"]


def test_an_unknown_name_suggests_the_right_one(write):
    name = write(constants(create_input_2_1=1))
    with pytest.raises(AttributeError, match="did you mean create"):
        getattr(schemas, name).crate  # noqa: B018
    with pytest.raises(AttributeError, match=r"neither schemas/v2_1 nor schemas/v3_0 has nothing\.py"):
        schemas.nothing  # noqa: B018
    assert schemas.operation(f"{name}.create").name == f"{name}.create"
