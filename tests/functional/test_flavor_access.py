"""Access lists of private flavors."""

from __future__ import annotations

from typing import Any

import pytest

from tests.functional.cloud import ADMIN, MEMBER, NOBODY, READER, Cloud


@pytest.fixture
def private(cloud: Cloud) -> Cloud:
    body = {"name": "big", "id": "b1", "ram": 1, "vcpus": 1, "disk": 0, "os-flavor-access:is_public": False}
    assert cloud("POST", "/flavors", "2.1", ADMIN, json={"flavor": body}).status_code == 200
    return cloud


def act(cloud: Cloud, action: str, project: object, version: str = "2.1", flavor: str = "b1") -> Any:
    key = "project_id" if version == "3.0" else "tenant"
    return cloud("POST", f"/flavors/{flavor}/action", version, ADMIN, json={action: {key: project}})


def test_add_and_remove_answer_with_the_list(private: Cloud) -> None:
    one, two = ({"flavor_id": "b1", "tenant_id": project} for project in ("p1", "p2"))
    assert act(private, "addTenantAccess", "p1").json == {"flavor_access": [one]}
    assert act(private, "addTenantAccess", "p2").json == {"flavor_access": [one, two]}
    listed = private("GET", "/flavors/b1/os-flavor-access", "2.1", ADMIN)
    assert (listed.status_code, listed.json) == (200, {"flavor_access": [one, two]})
    assert act(private, "removeTenantAccess", "p1").json == {"flavor_access": [two]}


def test_3_0_has_names_of_its_own(private: Cloud) -> None:
    expected = {"access": [{"flavor_id": "b1", "project_id": "p1"}]}
    assert act(private, "add_project_access", "p1", "3.0").json == expected
    assert private("GET", "/flavors/b1/access", "3.0", ADMIN).json == expected
    assert act(private, "remove_project_access", "p1", "3.0").json == {"access": []}
    assert act(private, "addTenantAccess", "p1", "3.0").status_code == 400
    assert private("GET", "/flavors/b1/os-flavor-access", "3.0", ADMIN).status_code == 404


def test_twice_is_a_conflict_and_nothing_to_remove_a_404(private: Cloud) -> None:
    act(private, "addTenantAccess", "p1")
    twice = act(private, "addTenantAccess", "p1")
    assert twice.status_code == 409
    expected = "Flavor access already exists for flavor b1 and project p1 combination."
    assert twice.json["conflictingRequest"]["message"] == expected
    missing = act(private, "removeTenantAccess", "p2")
    assert missing.status_code == 404
    assert missing.json["itemNotFound"]["message"] == "Flavor access not found for b1 / p2 combination."


@pytest.mark.parametrize(("version", "status"), [("2.1", 200), ("2.6", 200), ("2.7", 409), ("2.104", 409)])
def test_a_public_flavor_refuses_access_from_2_7_on(cloud: Cloud, version: str, status: int) -> None:
    assert act(cloud, "addTenantAccess", "p1", version, flavor="42").status_code == status


def test_a_public_flavor_has_no_list(cloud: Cloud) -> None:
    answer = cloud("GET", "/flavors/42/os-flavor-access", "2.1", ADMIN)
    assert answer.status_code == 404
    assert answer.json["itemNotFound"]["message"] == "Access list not available for public flavors."


@pytest.mark.parametrize("project", ["", "x" * 256, None, 5, [], {}])
def test_a_bad_project_is_refused(private: Cloud, project: object) -> None:
    for action in ("addTenantAccess", "removeTenantAccess"):
        answer = act(private, action, project)
        assert answer.status_code == 400
        assert "tenant" in answer.json["badRequest"]["message"]


@pytest.mark.parametrize("token", [MEMBER, READER, NOBODY])
def test_it_is_for_administrators(cloud: Cloud, token: str) -> None:
    assert cloud("GET", "/flavors/42/os-flavor-access", "2.1", token).status_code == 403
    for action in ("addTenantAccess", "removeTenantAccess"):
        body = {action: {"tenant": "p1"}}
        assert cloud("POST", "/flavors/42/action", "2.1", token, json=body).status_code == 403


def test_an_unknown_flavor_and_an_unknown_action(cloud: Cloud) -> None:
    assert act(cloud, "addTenantAccess", "p1", flavor="none").status_code == 404
    assert act(cloud, "makeCoffee", "p1", flavor="42").status_code == 400


@pytest.mark.parametrize("path", ["/flavors/nothing/action", "/flavors/1/action"])
def test_who_may_not_give_access_learns_nothing_of_the_flavor(cloud: Cloud, path: str) -> None:
    body = {"addTenantAccess": {"tenant": "p1"}}
    assert cloud("POST", path, "2.1", MEMBER, json=body).status_code == 403
