"""/v2: what 2.1 answers, for clients that know no versions and send what nobody reads."""

from __future__ import annotations

import falcon

from tests.functional.cloud import ADMIN, Cloud


def _ask(cloud: Cloud, method: str, path: str, **request: object) -> falcon.testing.Result:
    return cloud(method, f"/v2{path}", token=ADMIN, **request)


def test_the_version_asked_for_does_not_count_and_is_not_echoed(cloud: Cloud) -> None:
    headers = {"OpenStack-API-Version": "compute 2.55", "X-OpenStack-Nova-API-Version": "2.900"}
    answer = _ask(cloud, "GET", "/flavors/detail", headers=headers)
    assert answer.status_code == 200
    assert "OpenStack-API-Version" not in answer.headers
    assert "description" not in answer.json["flavors"][0]  # of 2.55


def test_links_lead_back_to_it(cloud: Cloud) -> None:
    flavor = _ask(cloud, "GET", "/flavors").json["flavors"][0]
    assert f"/v2/flavors/{flavor['id']}" in next(link["href"] for link in flavor["links"] if link["rel"] == "self")


def test_keys_that_nobody_reads_are_overlooked_at_any_depth(cloud: Cloud) -> None:
    flavor = {"name": "old", "vcpus": 1, "ram": 64, "disk": 0, "colour": "red", "tags": ["later"]}
    answer = _ask(cloud, "POST", "/flavors", json={"flavor": flavor, "extra": 1})
    assert answer.status_code == 200, answer.text
    refused = cloud("POST", "/flavors", "2.1", ADMIN, json={"flavor": flavor | {"name": "new"}})
    assert refused.status_code == 400


def test_what_is_wrong_otherwise_is_refused(cloud: Cloud) -> None:
    answer = _ask(cloud, "POST", "/flavors", json={"flavor": {"name": "old", "vcpus": "many", "colour": "red"}})
    assert answer.status_code == 400
    assert "colour" not in answer.json["badRequest"]["message"]
    assert _ask(cloud, "GET", "/nowhere").status_code == 404
    assert cloud("GET", "/v2/flavors", token=None).status_code == 401
