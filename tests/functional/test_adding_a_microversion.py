"""docs/adding-a-microversion.md, performed: each of the five kinds of change on a throw-away controller."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, TypedDict

import pytest

from nova_lite.api import validation, wsgi
from nova_lite.api.operations import DeclarationError
from tests.throwaway import Client, operation_schemas, table


def _body(**properties: dict) -> dict:
    return {
        "type": "object",
        "properties": {"makeThing": {"type": "object", "properties": properties, "additionalProperties": False}},
        "required": ["makeThing"],
        "additionalProperties": False,
    }


def _flat(**properties: dict) -> dict:
    return {"type": "object", "properties": properties, "additionalProperties": False}


TEXT = {"type": "string"}
ROOT = Path(__file__).parents[2]


class Params(TypedDict, total=False):
    size: str
    colour: str


def test_an_input_change_is_a_schema(tmp_path: Path) -> None:
    made = operation_schemas(
        "things.make",
        input_2_1=_body(thingSize=TEXT) | {"ext:mapping": {"thingSize": "size"}},
        input_2_19=_body(thingSize=TEXT, colour=TEXT) | {"ext:mapping": {"thingSize": "size"}},
        input_3_0=_flat(size=TEXT, colour=TEXT),
        output_2_1=_flat(seen={}),
    )

    class Things(wsgi.Controller):
        resource = "things"

        @wsgi.route("POST", "/things", policy="throwaway")
        @wsgi.version(base="2.1", max="2.104")
        @wsgi.response(200)
        @validation.schema(made)
        def make(self, req: wsgi.Request, obj: None, params: Params) -> dict[str, Any]:
            return {"seen": params}

    client = Client(tmp_path, Things)
    old = client("POST", "/things", "2.18", json={"makeThing": {"thingSize": "L"}})
    new = client("POST", "/things", "2.19", json={"makeThing": {"thingSize": "L", "colour": "red"}})
    early = client("POST", "/things", "2.18", json={"makeThing": {"colour": "red"}})
    assert old.json == {"seen": {"size": "L"}}
    assert new.json == {"seen": {"size": "L", "colour": "red"}}
    assert early.status_code == 400
    assert "'colour' needs microversion 2.19 or later (this request: 2.18)" in early.json["badRequest"]["message"]


def test_an_output_change_is_a_schema(tmp_path: Path) -> None:
    shown = operation_schemas(
        "things.show",
        output_2_1=_flat(thingSize=TEXT) | {"ext:mapping": {"thingSize": "size"}},
        output_2_19=_flat(thingSize=TEXT, colour=TEXT) | {"ext:mapping": {"thingSize": "size"}},
        output_2_50=None,
        output_3_0=_flat(size=TEXT),
    )

    class Things(wsgi.Controller):
        resource = "things"

        @wsgi.route("GET", "/things", policy="throwaway")
        @wsgi.version(base="2.1")
        @wsgi.response(200)
        @validation.schema(shown)
        def show(self, req: wsgi.Request, obj: None, params: dict) -> dict[str, Any]:
            return {"size": "L", "colour": "red", "never shown": 1}

    # `params` that takes nothing needs no TypedDict
    Things.declared["show"][0].__annotations__.pop("params")
    client = Client(tmp_path, Things)
    assert client("GET", "/things", "2.18").json == {"thingSize": "L"}
    assert client("GET", "/things", "2.49").json == {"thingSize": "L", "colour": "red"}
    assert client("GET", "/things", "2.50").content == b""
    assert client("GET", "/things", "3.0").json == {"size": "L"}


def test_a_semantic_change_is_a_second_function(tmp_path: Path) -> None:
    class Things(wsgi.Controller):
        resource = "things"

        @wsgi.route("GET", "/things", policy="throwaway")
        @wsgi.version(base="2.1", max="2.20")
        @wsgi.response(200)
        @validation.schema(operation_schemas("things.show", output_2_1=_flat(answer=TEXT)))
        def show(self, req, obj, params):
            return {"answer": "as before"}

        @wsgi.version(base="2.21", max="2.104")
        @wsgi.response(200)
        def show(self, req, obj, params):  # noqa: F811
            return {"answer": "as from 2.21 on"}

    client = Client(tmp_path, Things)
    assert client("GET", "/things", "2.20").json == {"answer": "as before"}
    assert client("GET", "/things", "2.21").json == {"answer": "as from 2.21 on"}


def test_a_status_change_is_a_decorator(tmp_path: Path) -> None:
    class Things(wsgi.Controller):
        resource = "things"

        @wsgi.route("PUT", "/things", policy="throwaway")
        @wsgi.version(base="2.1")
        @wsgi.response(200)
        @wsgi.response(202, version="2.9")
        @wsgi.response(204, version="3.0")
        def touch(self, req, obj, params):
            return None

    client = Client(tmp_path, Things)
    statuses = [client("PUT", "/things", version).status_code for version in ("2.1", "2.8", "2.9", "2.104", "3.0")]
    assert statuses == [200, 200, 202, 202, 204]


def test_a_resource_name_change_is_another_path(tmp_path: Path) -> None:
    class Things(wsgi.Controller):
        resource = "things"

        @wsgi.route("GET", "/os-things", v3="/things", policy="throwaway")
        @wsgi.version(base="2.1")
        @wsgi.response(204)
        def show(self, req, obj, params):
            return None

        @wsgi.action("os-poke", v3="poke", policy="throwaway", path="/things/action")
        @wsgi.version(base="2.1")
        @wsgi.response(202)
        def poke(self, req, obj, params):
            return None

    client = Client(tmp_path, Things)
    assert client("GET", "/os-things", "2.1").status_code == 204
    assert client("GET", "/things", "2.1").status_code == 404
    assert client("GET", "/things", "3.0").status_code == 204
    assert client("GET", "/os-things", "3.0").status_code == 404
    assert client("POST", "/things/action", "2.1", json={"os-poke": None}).status_code == 202
    assert client("POST", "/things/action", "3.0", json={"poke": None}).status_code == 202
    refused = client("POST", "/things/action", "3.0", json={"os-poke": None})
    assert refused.status_code == 400
    assert "There is no such action: os-poke" in refused.json["errors"][0]["detail"]


def test_the_page_quotes_code_of_this_tree() -> None:
    page = (ROOT / "docs" / "adding-a-microversion.md").read_text()
    code = [path.read_text() for folder in ("api", "schemas") for path in (ROOT / "nova_lite" / folder).rglob("*.py")]
    quoted = re.findall(r"```diff\n(.*?)```", page, re.S)
    assert len(quoted) >= 5
    for diff in quoted:
        blocks = "\n".join(line[1:] for line in diff.rstrip().split("\n")).split("\n\n")
        assert all(any(block in text for text in code) for block in blocks), f"not in the tree any more:\n{diff}"


# -- what is refused while the application is built ------------------------------------------------------------


def _declare(**overrides: Any) -> type[wsgi.Controller]:
    said = {"base": "2.1", "max": None, "policy": "throwaway", "schema": None, "annotation": None} | overrides

    class Things(wsgi.Controller):
        resource = "things"

        def make(self, req, obj, params):
            return None

    function = Things.__dict__["make"]
    if said["annotation"]:
        function.__annotations__["params"] = said["annotation"]
    for mark in (
        wsgi.route("POST", "/things", policy=said["policy"]),
        wsgi.version(base=said["base"], max=said["max"]),
        wsgi.response(200, version=said.get("since")),
        *([validation.schema(said["schema"])] if said["schema"] else []),
    ):
        mark(function)
    Things.declared["make"] = [function]
    return Things


@pytest.mark.parametrize(
    ("overrides", "why"),
    [
        ({"policy": None}, "exactly one policy rule"),
        ({"policy": "throwawy"}, "rule throwawy is not registered"),
        ({"since": "2.5"}, "no status for 2.1"),
        ({"schema": operation_schemas("things.make", input_2_1=_flat(size=TEXT, weight=TEXT)), "annotation": Params},
         "weight"),
        ({"schema": operation_schemas("things.make", input_2_1=_flat(size=TEXT)), "annotation": Params}, "colour"),
        ({"schema": operation_schemas("things.make", input_2_1=_flat(size=TEXT))}, "size"),
        ({"schema": operation_schemas("things.make", output_2_1=_flat(size=TEXT | {"ext:policy": "nobody:knows"}))},
         "nobody:knows"),
    ],
)  # fmt: skip
def test_a_wrong_declaration_is_refused_when_the_application_is_built(overrides: dict, why: str) -> None:
    with pytest.raises(DeclarationError, match=why):
        table(_declare(**overrides))


def test_ranges_with_a_hole_or_an_overlap_are_refused() -> None:
    def things(first_max: str, second_base: str) -> type[wsgi.Controller]:
        class Things(wsgi.Controller):
            resource = "things"

            @wsgi.route("GET", "/things", policy="throwaway")
            @wsgi.version(base="2.1", max=first_max)
            @wsgi.response(200)
            def show(self, req, obj, params):
                return None

            @wsgi.version(base=second_base)
            @wsgi.response(200)
            def show(self, req, obj, params):  # noqa: F811
                return None

        return Things

    table(things("2.20", "2.21"))
    with pytest.raises(DeclarationError, match=r"2\.21"):
        table(things("2.20", "2.22"))
    with pytest.raises(DeclarationError, match=r"2\.20"):
        table(things("2.20", "2.20"))


def test_two_operations_on_one_route_and_version_are_refused() -> None:
    class Twin(wsgi.Controller):
        resource = "twins"

        @wsgi.route("POST", "/things", policy="throwaway")
        @wsgi.version(base="2.50")
        @wsgi.response(200)
        def make(self, req, obj, params):
            return None

    with pytest.raises(DeclarationError, match=r"both answer POST /things at 2\.50"):
        table(_declare(), Twin)
