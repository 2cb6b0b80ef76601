"""The fixed order of the pipeline, its status codes, headers, error bodies, and what bad input gets."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any, TypedDict

import pytest

from nova_lite import exceptions
from nova_lite.api import validation, wsgi
from tests.throwaway import Client, Thing, load_thing, operation_schemas

NAME = {
    "type": "object",
    "properties": {"name": {"type": "string"}},
    "required": ["name"],
    "additionalProperties": False,
}
SHOWN = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "secret": {"type": "string", "ext:policy": "throwaway:secret"}},
    "required": ["name"],
    "additionalProperties": False,
}


class NameParams(TypedDict, total=False):
    name: str


class KeyParams(TypedDict, total=False):
    key: str


class Things(wsgi.Controller):
    resource = "things"
    resource_obj_cls = Thing

    def load(self, req: wsgi.Request, value: str) -> Thing:
        return load_thing(req, value)

    @wsgi.route("PUT", "/things/{thing_id}", policy="throwaway")
    @wsgi.version(base="2.5")
    @wsgi.response(200)
    @wsgi.expected_errors(409)
    @validation.schema(
        operation_schemas("things.rename", input_2_1=NAME, input_3_0=NAME, output_2_1=SHOWN, output_3_0=SHOWN)
    )
    def rename(self, req: wsgi.Request, obj: Thing, params: NameParams) -> dict[str, Any]:
        if params["name"] == "conflict":
            raise exceptions.Conflict("the name is taken")
        if params["name"] == "undeclared":
            raise exceptions.Invalid("not declared")
        if params["name"] == "down":
            raise exceptions.Unavailable("The database does not answer.")
        if params["name"] == "bug":
            raise ZeroDivisionError("a secret of the host")
        if params["name"] == "forbidden":
            req.authorize("throwaway:secret")
        return {"name": params["name"], "secret": obj.project_id}

    @wsgi.route("DELETE", "/things/{thing_id}", policy="throwaway")
    @wsgi.version(base="2.1", max="2.30")
    @wsgi.response(204)
    def delete(self, req: wsgi.Request, obj: Thing, params: dict) -> None:
        req.set_header("X-Deleted", obj.name)

    del delete.__annotations__["params"]

    @wsgi.route("GET", "/things/{thing_id}/parts/{key}", policy="throwaway")
    @wsgi.version(base="2.1")
    @wsgi.response(200)
    @validation.schema(
        operation_schemas(
            "things.part",
            output_2_1={"type": "object", "properties": {"urls": {"type": "array"}}, "additionalProperties": False},
            output_3_0={"type": "object", "properties": {"urls": {"type": "array"}}, "additionalProperties": False},
        )
    )
    def part(self, req: wsgi.Request, obj: Thing, params: KeyParams) -> dict[str, Any]:
        path = f"things/{obj.name}/parts/{params['key']}"
        return {"urls": [req.url(path), req.bookmark(path), req.next_link("things", "m1", 5)]}


@pytest.fixture
def client(tmp_path: Path) -> Client:
    return Client(tmp_path, Things)


BODY = {"name": "new"}
MINE, THEIRS = "/things/mine", "/things/other"


def test_success(client: Client) -> None:
    answer = client("PUT", MINE, "2.5", json=BODY)
    assert (answer.status_code, answer.json) == (200, {"name": "new"})


def test_an_attribute_rule_shows_the_attribute_to_who_passes_it(client: Client) -> None:
    assert client("PUT", MINE, "2.5", token="admin", json=BODY).json == {"name": "new", "secret": "admin"}


# Each request has every fault from its own on; the first in the pipeline's order must answer.
@pytest.mark.parametrize(
    ("status", "fault", "token", "method", "path", "version", "body"),
    [
        (401, "unauthorized", None, "FROB", "/nowhere/at/all", "2.999", "{"),
        (406, "notAcceptable", "u1:p1:", "FROB", "/nowhere/at/all", "2.999", "{"),
        (404, "itemNotFound", "u1:p1:", "PUT", "/nowhere/at/all", "2.5", "{"),
        (404, "itemNotFound", "u1:p1:", "PATCH", THEIRS, "2.5", "{"),
        (404, "itemNotFound", "u1:p1:", "PUT", THEIRS, "2.5", "{"),
        (403, "forbidden", "u1:p1:", "PUT", MINE, "2.5", "{"),
        (400, "badRequest", "u1:p1", "PUT", MINE, "2.5", "{"),
        (400, "badRequest", "u1:p1", "PUT", MINE, "2.5", '{"nam": 1}'),
    ],
)
def test_the_order_of_the_pipeline(
    client: Client, status: int, fault: str, token: str | None, method: str, path: str, version: str, body: str
) -> None:
    answer = client(method, path, version, token=token, body=body)
    assert answer.status_code == status
    assert list(answer.json) == [fault]
    assert answer.json[fault]["code"] == status
    assert answer.json[fault]["message"]
    assert answer.headers["X-OpenStack-Request-ID"] == answer.headers["X-Compute-Request-ID"]


def test_a_method_that_a_path_does_not_have(client: Client) -> None:
    hidden = client("PATCH", MINE, "2.5")  # as Nova, whose routes are pairs of path and method
    assert hidden.status_code == 404 and "Allow" not in hidden.headers
    told = client("PATCH", MINE, "3.0")
    assert told.status_code == 405 and told.json["errors"][0]["status"] == 405
    assert "PUT" in told.headers["Allow"].split(", ")


def test_an_operation_outside_its_versions_is_a_404_that_names_them(client: Client) -> None:
    gone = client("DELETE", MINE, "2.31")
    assert gone.status_code == 404
    assert "microversions 2.1 to 2.30 (this request: 2.31)" in gone.json["itemNotFound"]["message"]
    assert client("PUT", MINE, "2.4", json=BODY).status_code == 404


@pytest.mark.parametrize("version", ["2.5", "2.30"])
def test_both_version_headers_come_back_with_vary(client: Client, version: str) -> None:
    for answer in (client("DELETE", MINE, version), client("DELETE", THEIRS, version)):
        assert answer.headers["OpenStack-API-Version"] == f"compute {version}"
        assert answer.headers["X-OpenStack-Nova-API-Version"] == version
        assert answer.headers["Vary"] == "OpenStack-API-Version, X-OpenStack-Nova-API-Version"


def test_the_legacy_header_and_latest(client: Client) -> None:
    legacy = client("DELETE", MINE, headers={"X-OpenStack-Nova-API-Version": "2.7"})
    assert legacy.headers["OpenStack-API-Version"] == "compute 2.7"
    latest = client("PUT", MINE, "latest", json=BODY)
    assert latest.headers["OpenStack-API-Version"] == "compute 2.104"
    assert client("DELETE", MINE).headers["OpenStack-API-Version"] == "compute 2.1"


@pytest.mark.parametrize(
    ("header", "status"),
    [
        ("compute 99999999999.1", 406),
        ("compute 2.105", 406),
        ("compute 3.0", 406),
        ("compute 2.01", 400),
        ("compute 02.1", 400),
        ("compute", 400),
        ("compute x", 400),
        ("compute 2.1.1", 400),
        ("compute -2.1", 400),
        ("compute 2.5, compute 2.6", 400),
        ("compute " + "9" * 5000 + ".1", 400),
    ],
)
def test_absurd_versions(client: Client, header: str, status: int) -> None:
    answer = client("PUT", MINE, headers={"OpenStack-API-Version": header}, json=BODY)
    assert answer.status_code == status
    assert "Vary" in answer.headers
    if status == 406:
        assert "2.1" in answer.json["notAcceptable"]["message"] and "2.104" in answer.json["notAcceptable"]["message"]


def test_the_body_form_of_major_3(client: Client) -> None:
    answer = client("PUT", THEIRS, "3.0", json=BODY)
    (error,) = answer.json["errors"]
    assert error == {
        "request_id": answer.headers["X-OpenStack-Request-ID"],
        "code": "compute.itemNotFound",
        "status": 404,
        "title": "Not Found",
        "detail": "Thing other could not be found.",
        "links": [],
    }


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"[]", 400),
        (b"null", 400),
        (b'"name"', 400),
        (b'{"name": "\xff"}', 400),
        (b'{"name": "\\ud800"}', 400),
        (b'{"name": NaN}', 400),
        (b'{"name": 1e999}', 400),
        (b'{"name": ' + b"9" * 5000 + b"}", 400),
        (b'{"name": ' + b"[" * 900 + b"]" * 900 + b"}", 400),
        (b'{"name": ' + b"[" * 50000 + b"]" * 50000 + b"}", 400),
        (b'{"name": "' + b"x" * 200000 + b'"}', 413),
        (b'{"name": "a", "name": 3}', 400),
        (b'{"name": "a", "x' + b"y" * 10000 + b'": 3}', 400),
    ],
)
def test_hostile_bodies(client: Client, body: bytes, status: int) -> None:
    answer = client("PUT", MINE, "2.5", body=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == status
    assert len(answer.text) < 2000, "the answer does not echo what was sent"


def test_a_body_of_another_type_is_refused(client: Client) -> None:
    answer = client("PUT", MINE, "2.5", body="<name/>", headers={"Content-Type": "application/xml"})
    assert answer.status_code == 415


@pytest.mark.parametrize("query", ["%ff=1", "&".join(f"a{n}=1" for n in range(500))])
def test_hostile_queries_where_no_query_is_taken_are_ignored(client: Client, query: str) -> None:
    assert client("DELETE", MINE, "2.5", query_string=query).status_code == 204


def test_declared_errors_keep_their_status(client: Client) -> None:
    answer = client("PUT", MINE, "2.5", json={"name": "conflict"})
    assert answer.status_code == 409
    assert answer.json["conflictingRequest"]["message"] == "the name is taken"


def test_a_refusal_inside_a_controller_is_a_403(client: Client) -> None:
    answer = client("PUT", MINE, "2.5", json={"name": "forbidden"})
    assert answer.status_code == 403
    assert "throwaway:secret" in answer.json["forbidden"]["message"]


def test_what_does_not_answer_is_a_503_and_no_bug_of_the_operation(client: Client) -> None:
    answer = client("PUT", MINE, "2.5", json={"name": "down"})
    assert answer.status_code == 503
    assert answer.json["serviceUnavailable"]["message"] == "The database does not answer."


@pytest.mark.parametrize("name", ["undeclared", "bug"])
def test_an_error_that_was_not_declared_is_a_500_that_tells_nothing(
    client: Client, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    with caplog.at_level(logging.ERROR):
        answer = client("PUT", MINE, "2.5", json={"name": name})
    assert answer.status_code == 500
    message = answer.json["computeFault"]["message"]
    assert answer.headers["X-OpenStack-Request-ID"] in message
    assert "secret" not in message
    assert any(record.exc_info for record in caplog.records)


def test_a_header_of_the_controller_is_sent(client: Client) -> None:
    assert client("DELETE", MINE, "2.1").headers["X-Deleted"] == "mine"


def test_a_project_in_the_url_must_be_the_callers(client: Client) -> None:
    own = client("GET", "/v2.1/p1/things/mine/parts/k", "2.17")
    assert own.status_code == 200
    assert client("GET", "/v2.1/abc/things/mine/parts/k", "2.18").status_code == 400
    assert client("GET", "/v2.1/nowhere/things/mine/parts/k", "2.18").status_code == 404


def test_links_carry_the_project_where_the_url_did(client: Client) -> None:
    plain = client("GET", MINE + "/parts/k", "2.1", query_string="marker=m0&limit=9&x=1").json["urls"]
    assert plain[0].endswith("/v2.1/things/mine/parts/k")
    assert plain[1].endswith("/things/mine/parts/k") and "/v2.1" not in plain[1]
    assert plain[2].endswith("/v2.1/things?limit=5&x=1&marker=m1")
    with_project = client("GET", "/v2.1/p1/things/mine/parts/k", "2.1").json["urls"]
    assert with_project[0].endswith("/v2.1/p1/things/mine/parts/k")
    assert client("GET", MINE + "/parts/k", "3.0").json["urls"][0].endswith("/v3/things/mine/parts/k")


def test_a_clients_request_id_is_kept_only_in_its_form(client: Client) -> None:
    answer = client("DELETE", MINE, headers={"X-OpenStack-Request-ID": "req-<script>"})
    assert "<script>" not in answer.headers["X-OpenStack-Request-ID"]
