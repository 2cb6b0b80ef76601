"""The pages of api-ref/: complete, linked, current; and the command that writes and checks them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TypedDict

import pytest
from click.testing import CliRunner, Result

from nova_lite.api import validation, versions, wsgi
from nova_lite.cli.api_ref import api_ref
from nova_lite.reference import build, overview_pages, resource_page
from nova_lite.reference.facts import Reference
from nova_lite.schemas import parameter_types as types
from nova_lite.schemas.shapes import closed, wrapped
from tests import throwaway

SOURCE = build.reference()
PAGES = build.pages(SOURCE)

_NAME = wrapped("thing", closed({"name": types.name}))
_TAGGED = wrapped("thing", closed({"name": types.name, "tags": types.tags}, optional=["tags"]))
_SECRET = wrapped(
    "thing",
    closed(
        {"name": types.name, "host": types.fqdn | {"ext:policy": "throwaway:secret"}, "tags": types.tags},
        optional=["host", "tags"],
    ),
)


class ChangeParams(TypedDict, total=False):
    thing_id: str
    name: str
    tags: list[str]


class ThingsController(wsgi.Controller):
    resource = "things"

    @wsgi.route("PUT", "/things/{thing_id}", policy="throwaway", v3="/stuff/{thing_id}")
    @wsgi.version(base="2.5", max="2.70")
    @wsgi.response(200)
    @wsgi.expected_errors(409)
    @validation.schema(
        throwaway.operation_schemas(
            "things.change",
            input_2_1=_NAME,
            input_2_52=_TAGGED,
            output_2_1=_SECRET,
            output_2_60=None,
            input_3_0=_NAME,
        )
    )
    def change(self, req: wsgi.Request, obj: None, params: ChangeParams) -> None:
        """Change a thing.

        Nothing else.

        :raises Conflict: never.
        """


@pytest.fixture(scope="module")
def things() -> Reference:
    return Reference.of(throwaway.table(ThingsController), throwaway.RULES)


@pytest.fixture(scope="module")
def thing_page(things: Reference) -> str:
    return resource_page.write(things, "things")


# ---- completeness ---------------------------------------------------------------------------------------


def test_every_operation_has_its_section_with_both_paths() -> None:
    for fact in SOURCE.facts:
        page = PAGES[f"{fact.operation.resource}.md"]
        _, _, rest = page.partition(f'<a id="{fact.anchor}"></a>')
        section = rest.partition('<a id="')[0]
        assert fact.title in section, fact.name
        assert f"`{fact.operation.policy}`" in section, fact.name
        for served in fact.served:
            assert f"`{served.path}`" in section, fact.name


def test_every_operation_says_what_it_does() -> None:
    assert [fact.name for fact in SOURCE.facts if not fact.description.summary] == []


def test_every_version_is_in_the_history() -> None:
    for entry in versions.HISTORY:
        assert f"## {entry.version}\n" in PAGES["versions.md"]
        assert entry.sentence in PAGES["versions.md"]


def test_every_rule_is_in_the_list_of_rules() -> None:
    assert [name for name in SOURCE.rules if f"`{name}`" not in PAGES["policies.md"]] == []


def test_every_link_leads_somewhere() -> None:
    anchors = {name: set(re.findall(r'<a id="([^"]+)"></a>', text)) for name, text in PAGES.items()}
    for name, text in PAGES.items():
        for target in re.findall(r"\]\(([^)]+)\)", re.sub(r"`[^`\n]*`", "", text)):
            page, _, anchor = target.partition("#")
            assert (page or name) in PAGES, f"{name}: {target}"
            assert not anchor or anchor in anchors[page or name], f"{name}: {target}"


def test_tables_are_rectangular() -> None:
    for name, text in PAGES.items():
        for block in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
            widths = {len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}
            assert len(widths) == 1, f"{name}: {block[:300]}"


def test_the_same_tree_gives_the_same_pages() -> None:
    assert build.pages(build.reference()) == PAGES


# ---- one operation --------------------------------------------------------------------------------------


def test_versions_status_and_errors_of_an_operation(thing_page: str) -> None:
    assert "| `PUT` | `/v2.1/things/{thing_id}` | 2.5 – 2.70 | 200 | 400, 401, 403, 409 |" in thing_page
    assert "/v3/" not in thing_page  # it ended before
    assert "Nothing else." in thing_page
    assert "never" not in thing_page  # what it raises is for readers of the code


def test_keys_say_since_when_and_until_when(thing_page: str) -> None:
    assert "| `thing/tags` | list of strings |  | 2.52 |" in thing_page
    assert "| `thing/host` | string |  | 2.5 | 2.59 |" in thing_page
    assert "No body since 2.60." in thing_page


def test_guarded_keys_name_their_rule(thing_page: str) -> None:
    assert "shown to who passes `throwaway:secret`" in thing_page
    assert "| `throwaway:secret` | `rule:context_is_admin` | `thing/host` |" in thing_page


def test_each_version_with_a_format_of_its_own_has_an_example(thing_page: str) -> None:
    assert re.findall(r"<summary>At ([0-9.]+)</summary>", thing_page) == ["2.60", "2.52", "2.5"]


def test_the_history_tells_of_beginnings_changes_and_ends(things: Reference) -> None:
    history = overview_pages.history(things)
    sections = dict(re.findall(r"^## ([0-9.]+)\n(.*?)(?=^## |\Z)", history, re.MULTILINE | re.DOTALL))
    assert "[things.change](things.md#things-change) new" in sections["2.5"]
    assert "request: gained `thing/tags`" in sections["2.52"]
    assert "answer: lost `thing`" in sections["2.60"]
    assert "gone, answers 404 from here on" in sections["2.71"]
    assert "things.change" not in sections["2.72"]


# ---- files and the command ------------------------------------------------------------------------------


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(api_ref, list(arguments))


def test_check_names_what_is_stale_missing_or_left_over(tmp_path: Path) -> None:
    folder = tmp_path / "api-ref"
    assert invoke("build", "--output", str(folder)).exit_code == 0
    assert invoke("build", "--check", "--output", str(folder)).exit_code == 0
    (folder / "servers.md").write_text("by hand")
    (folder / "flavors.md").unlink()
    (folder / "shelves.md").write_text("of another time")
    result = invoke("build", "--check", "--output", str(folder))
    assert result.exit_code == 1
    assert f"{folder}/servers.md is stale" in result.output
    assert f"{folder}/flavors.md is missing" in result.output
    assert f"{folder}/shelves.md belongs to no resource" in result.output
    assert (folder / "servers.md").read_text() == "by hand"  # a check changes nothing


def test_build_writes_what_changed_and_nothing_else(tmp_path: Path) -> None:
    invoke("build", "--output", str(tmp_path))
    (tmp_path / "servers.md").write_text("by hand")
    (tmp_path / "shelves.md").write_text("of another time")
    result = invoke("build", "--output", str(tmp_path))
    assert result.stdout.splitlines() == [str(tmp_path / "servers.md"), str(tmp_path / "shelves.md")]
    assert not (tmp_path / "shelves.md").exists()
    assert (tmp_path / "servers.md").read_text() == PAGES["servers.md"]


def test_a_changed_schema_makes_the_page_stale(
    things: Reference, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build.write(build.pages(things), tmp_path)
    assert build.stale(build.pages(things), tmp_path) == []
    monkeypatch.setitem(_TAGGED["properties"]["thing"]["properties"], "tags", types.tags | {"maxItems": 5})
    changed = Reference.of(throwaway.table(ThingsController), throwaway.RULES)
    assert build.stale(build.pages(changed), tmp_path) == [f"{tmp_path}/things.md is stale"]
