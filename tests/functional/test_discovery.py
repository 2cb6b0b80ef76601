"""Version discovery and the health check, without a token."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.throwaway import Client


@pytest.fixture
def client(tmp_path: Path) -> Client:
    return Client(tmp_path, endpoint_url="http://cloud.example/compute/")


def test_the_root_lists_both_majors(client: Client) -> None:
    answer = client._client.simulate_get("/")
    by_id = {version["id"]: version for version in answer.json["versions"]}
    assert by_id["v2.1"]["min_version"] == "2.1" and by_id["v2.1"]["version"] == "2.104"
    assert by_id["v2.1"]["status"] == "CURRENT"
    assert by_id["v3.0"]["min_version"] == by_id["v3.0"]["version"] == "3.0"
    assert by_id["v2.1"]["links"] == [{"rel": "self", "href": "http://cloud.example/compute/v2.1/"}]


def test_the_list_begins_with_the_api_that_knows_no_versions(client: Client) -> None:
    first = client._client.simulate_get("/").json["versions"][0]
    assert (first["id"], first["status"], first["version"], first["min_version"]) == ("v2.0", "DEPRECATED", "", "")
    document = client("GET", "/v2/", token=None).json["version"]
    assert document["id"] == "v2.0" and document["links"][0]["href"] == first["links"][0]["href"]


@pytest.mark.parametrize("path", ["/v2.1", "/v2.1/"])
def test_the_document_of_major_2(client: Client, path: str) -> None:
    version = client("GET", path, token=None).json["version"]
    assert (version["id"], version["version"], version["min_version"]) == ("v2.1", "2.104", "2.1")
    assert version["media-types"][0]["type"] == "application/vnd.openstack.compute+json;version=2.1"
    assert {link["rel"] for link in version["links"]} == {"self", "describedby"}


@pytest.mark.parametrize("path", ["/v3", "/v3/"])
def test_the_document_of_major_3(client: Client, path: str) -> None:
    assert client("GET", path, token=None).json["version"]["id"] == "v3.0"


def test_the_document_is_found_behind_a_project_too(client: Client) -> None:
    assert client("GET", "/v2.1/p1", "2.1").json["version"]["id"] == "v2.1"
    assert client("GET", "/v2.1/p1", "2.18").json["version"]["id"] == "v2.1"


def test_another_root_answers_300_with_the_choices(client: Client) -> None:
    answer = client._client.simulate_get("/v1/servers")
    assert answer.status_code == 300
    assert [choice["links"][0]["href"] for choice in answer.json["choices"]] == [
        "http://cloud.example/compute/v2/v1/servers",
        "http://cloud.example/compute/v2.1/v1/servers",
        "http://cloud.example/compute/v3/v1/servers",
    ]


def test_an_unknown_path_below_a_version_needs_a_token_first(client: Client) -> None:
    assert client("GET", "/nowhere", token=None).status_code == 401
    assert client("GET", "/nowhere").status_code == 404
