"""OpenAPI documents: valid, complete, and true of what the API answers."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
import yaml
from click.testing import CliRunner
from openapi_schema_validator import oas31_format_checker
from openapi_spec_validator import OpenAPIV31SpecValidator

from nova_lite.api import errors
from nova_lite.api.versions import ALL, Version
from nova_lite.cli.api_ref import api_ref
from nova_lite.reference import build, openapi
from tests.functional import belongings
from tests.functional.cloud import ADMIN, NOBODY, Cloud

OWNER = "u1:p1:manager"

REFERENCE = build.reference()
SOME = [Version.parse(text) for text in ("2.1", "2.35", "2.53", "2.75", "2.104", "3.0")]
DOCUMENTS = {version: openapi.document(REFERENCE, version) for version in SOME}
some_versions = pytest.mark.parametrize("version", SOME, ids=str)


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if method != "parameters":
                yield path, method, operation


def validator(document: dict[str, Any], schema: dict[str, Any]) -> jsonschema.Draft202012Validator:
    """One that takes formats at their word, as a stranger's would: date-time is RFC 3339's, with a zone."""
    components = {"components": document["components"]}
    return jsonschema.Draft202012Validator(schema | components, format_checker=oas31_format_checker)


@some_versions
def test_the_document_is_valid(version: Version) -> None:
    assert [error.message for error in OpenAPIV31SpecValidator(DOCUMENTS[version]).iter_errors()] == []


@some_versions
def test_every_operation_of_the_version_is_there_and_no_other(version: Version) -> None:
    found = set()
    for _, _, operation in operations(DOCUMENTS[version]):
        several = operation.get("x-openstack-actions")
        found |= {action["operationId"] for action in several} if several else {operation["operationId"]}
    assert found == {fact.name for fact in REFERENCE.facts if fact.operation.at(version)}


@some_versions
def test_examples_fit_their_schemas(version: Version) -> None:
    document = DOCUMENTS[version]
    for path, method, operation in operations(document):
        responses = [answer for answer in operation["responses"].values() if "content" in answer]
        for place in [operation.get("requestBody"), *responses]:
            media = (place or {}).get("content", {}).get("application/json", {})
            shown = [media["example"]] if "example" in media else []
            shown += [example["value"] for example in media.get("examples", {}).values()]
            for example in shown:
                validator(document, media["schema"]).validate(example)
            assert media == {} or shown or "x-openstack-actions" in operation, f"{method} {path}"


@some_versions
def test_no_keyword_of_ours_is_left(version: Version) -> None:
    assert re.search(r'"ext:', json.dumps(DOCUMENTS[version])) is None


@some_versions
def test_the_version_header_is_fixed_and_needed_but_at_the_first_version(version: Version) -> None:
    header = DOCUMENTS[version]["components"]["parameters"]["version"]
    assert header["schema"]["const"] == f"compute {version}"
    assert header["required"] == (version not in {(2, 1), (3, 0)})


@some_versions
def test_errors_have_the_form_of_the_major(version: Version) -> None:
    document = DOCUMENTS[version]
    form = validator(document, {"$ref": "#/components/schemas/Error"})
    form.validate(errors.body(404, "gone", version.major, "req-1"))
    other = errors.body(404, "gone", 5 - version.major, "req-1")
    assert not form.is_valid(other)


def test_actions_are_one_post_with_one_body_each() -> None:
    post = DOCUMENTS[Version(2, 104)]["paths"]["/servers/{server_id}/action"]["post"]
    schema = post["requestBody"]["content"]["application/json"]["schema"]
    assert schema["x-openstack"] == {"discriminator": "action"}
    assert len(schema["oneOf"]) == len(post["x-openstack-actions"])
    assert {"os-start", "os-stop", "reboot", "pause"} <= {action["action"] for action in post["x-openstack-actions"]}


def test_parameters_are_what_a_client_sends() -> None:
    query = DOCUMENTS[Version(2, 104)]["paths"]["/servers"]["get"]["parameters"]
    found = {parameter["name"]: parameter for parameter in query}
    assert found["limit"]["schema"]["type"] == "integer"
    assert found["sort_key"]["schema"]["type"] == "array"
    assert found["sort_key"]["explode"] is True


def test_equal_formats_are_there_once() -> None:
    schemas = DOCUMENTS[Version(2, 104)]["components"]["schemas"]
    texts = [json.dumps(schema, sort_keys=True) for schema in schemas.values()]
    assert len(texts) == len(set(texts))
    assert "links" in schemas


# ---- against the API itself -----------------------------------------------------------------------------


#: What only the agent, the service of events or a console could tell; and what no host here can do.
NOT_FROM_HERE = {
    "diagnostics",
    "wait",
    "events",
    "{console_token}",
    "reboot",
    "shutdown",
    "startup",
    "{migration_id}",
    "{share_id}",
}


@pytest.fixture(scope="module")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Cloud, dict[str, str]]]:
    """A cloud with one thing of every kind, and the ids of them by path field."""
    made = Cloud(tmp_path_factory.mktemp("cloud"))
    yield made, belongings.furnish(made)
    made.close()


@some_versions
def test_answers_are_as_described(furnished: tuple[Cloud, dict[str, str]], version: Version) -> None:
    """Every GET, for an administrator and for the owner of what is there."""
    cloud, ids = furnished
    if version.major == 3:
        ids = ids | {"aggregate_id": ids["aggregate_uuid"]}
    if version < (2, 53):
        ids = ids | {"hypervisor_id": "1"}
    document = DOCUMENTS[version]
    for path, method, operation in operations(document):
        if method != "get" or NOT_FROM_HERE & set(path.split("/")):
            continue
        status, described = next(iter(operation["responses"].items()))
        answers = [cloud("GET", path.format(**ids), str(version), token) for token in (ADMIN, OWNER)]
        shown = [answer for answer in answers if str(answer.status_code) == status]
        assert shown, f"{path}: {answers[0].text}"
        for answer in shown:
            if "content" in described:
                validator(document, described["content"]["application/json"]["schema"]).validate(answer.json)


@some_versions
def test_refusals_are_as_described(cloud: Cloud, version: Version) -> None:
    document = DOCUMENTS[version]
    form = validator(document, {"$ref": "#/components/schemas/Error"})
    for path, token, status in (("/servers", NOBODY, 403), ("/servers", None, 401), ("/servers/none", ADMIN, 404)):
        answer = cloud("GET", path, str(version), token)
        assert answer.status_code == status
        form.validate(answer.json)


# ---- the command ----------------------------------------------------------------------------------------


def test_the_command_prints_json_and_yaml_alike() -> None:
    printed = [CliRunner().invoke(api_ref, ["openapi", "2.53", "--format", form]) for form in ("json", "yaml")]
    assert [result.exit_code for result in printed] == [0, 0]
    assert json.loads(printed[0].stdout) == yaml.safe_load(printed[1].stdout) == DOCUMENTS[Version(2, 53)]
    assert "&id" not in printed[1].stdout  # no YAML anchors


@pytest.mark.parametrize("text", ["2.105", "2.01", "latest", "x", "1.0"])
def test_the_command_refuses_what_is_no_version(text: str) -> None:
    result = CliRunner().invoke(api_ref, ["openapi", text])
    assert result.exit_code == 2
    assert "VERSION" in result.stderr


def test_every_version_gives_a_document() -> None:
    for version in ALL[::9]:
        assert openapi.document(REFERENCE, version)["info"]["version"] == str(version)
