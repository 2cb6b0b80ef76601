"""Flavors: what each version shows and takes, filters, order, pages, and who may do what."""

from __future__ import annotations

import uuid
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.functional.cloud import ADMIN, MEMBER, NOBODY, READER, Cloud

STRANGER = "u9:p9"
NEW: dict[str, Any] = {"name": "big", "ram": 2048, "vcpus": 2, "disk": 20}
PREFIXED = {"OS-FLV-EXT-DATA:ephemeral", "OS-FLV-DISABLED:disabled", "os-flavor-access:is_public"}
FULL = {"id", "name", "links", "ram", "disk", "swap", "vcpus", "rxtx_factor"} | PREFIXED


def create(cloud: Cloud, version: str = "2.1", **values: Any) -> Any:
    answer = cloud("POST", "/flavors", version, ADMIN, json={"flavor": NEW | values})
    assert answer.status_code == (201 if version == "3.0" else 200), answer.text
    return answer.json["flavor"]


def names(cloud: Cloud, query: str = "", version: str = "2.1", token: str = MEMBER) -> list[str]:
    answer = cloud("GET", f"/flavors{query}", version, token)
    assert answer.status_code == 200, answer.text
    return [flavor["name"] for flavor in answer.json["flavors"]]


@pytest.mark.parametrize(
    ("version", "keys"),
    [
        ("2.1", FULL),
        ("2.54", FULL),
        ("2.55", FULL | {"description"}),
        ("2.60", FULL | {"description"}),
        ("2.61", FULL | {"description", "extra_specs"}),
        ("2.101", FULL | {"description", "extra_specs"}),
        ("2.102", (FULL | {"description", "extra_specs"}) - {"rxtx_factor", "OS-FLV-DISABLED:disabled"}),
        (
            "3.0",
            {"id", "name", "links", "ram", "disk", "swap", "vcpus", "ephemeral", "is_public", "description"}
            | {"extra_specs"},
        ),
    ],
)
def test_what_a_flavor_shows(cloud: Cloud, version: str, keys: set[str]) -> None:
    assert set(cloud("GET", "/flavors/42", version).json["flavor"]) == keys
    detailed = cloud("GET", "/flavors/detail", version).json["flavors"]
    assert all(set(flavor) == keys for flavor in detailed)
    assert set(create(cloud, version)) == keys


@pytest.mark.parametrize(("version", "extra"), [("2.54", set()), ("2.55", {"description"}), ("3.0", {"description"})])
def test_what_the_plain_list_shows(cloud: Cloud, version: str, extra: set[str]) -> None:
    for flavor in cloud("GET", "/flavors", version).json["flavors"]:
        assert set(flavor) == {"id", "name", "links"} | extra


@pytest.mark.parametrize(("version", "none"), [("2.1", ""), ("2.74", ""), ("2.75", 0), ("2.104", 0), ("3.0", 0)])
def test_no_swap_is_blank_until_2_74(cloud: Cloud, version: str, none: object) -> None:
    assert cloud("GET", "/flavors/42", version).json["flavor"]["swap"] == none
    assert cloud("GET", "/flavors/detail", version).json["flavors"][0]["swap"] == none


def test_links(cloud: Cloud) -> None:
    create(cloud, id="with space")
    hrefs = {link["rel"]: link["href"] for link in cloud("GET", "/flavors/with%20space").json["flavor"]["links"]}
    assert urlsplit(hrefs["self"]).path == "/v2.1/flavors/with%20space"
    assert urlsplit(hrefs["bookmark"]).path == "/flavors/with%20space"
    hrefs = {link["rel"]: link["href"] for link in cloud("GET", "/p1/flavors/42").json["flavor"]["links"]}
    assert urlsplit(hrefs["self"]).path == "/v2.1/p1/flavors/42"


@pytest.mark.parametrize("path", ["/flavors", "/flavors/detail", "/flavors/42", "/flavors/42/os-extra_specs"])
def test_a_path_ends_where_nova_s_ends(cloud: Cloud, path: str) -> None:
    assert cloud("GET", f"/p1{path}").status_code == 200
    assert cloud("GET", f"{path}/").status_code == cloud("GET", f"/p1{path}/").status_code == 404


def test_numbers_and_booleans_may_be_strings_in_major_2(cloud: Cloud) -> None:
    made = create(
        cloud,
        id=7,
        ram="64",
        vcpus="1",
        disk="0",
        swap="16",
        rxtx_factor="2.5",
        **{"OS-FLV-EXT-DATA:ephemeral": "3", "os-flavor-access:is_public": "False"},
    )
    assert made["id"] == "7"
    assert (made["ram"], made["vcpus"], made["disk"], made["swap"], made["rxtx_factor"]) == (64, 1, 0, 16, 2.5)
    assert (made["OS-FLV-EXT-DATA:ephemeral"], made["os-flavor-access:is_public"]) == (3, False)
    refused = cloud("POST", "/flavors", "3.0", ADMIN, json={"flavor": NEW | {"ram": "64"}})
    assert refused.status_code == 400


@pytest.mark.parametrize("given", [{}, {"id": None}])
def test_a_flavor_without_an_id_gets_a_uuid(cloud: Cloud, given: dict[str, None]) -> None:
    assert uuid.UUID(create(cloud, **given)["id"])


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "x" * 256}, "name"),
        ({"name": " padded "}, "name"),
        ({"name": None}, "name"),
        ({"id": ""}, "id"),
        ({"id": "a/b"}, "id"),
        ({"id": " padded"}, "id"),
        ({"id": True}, "id"),
        ({"ram": 0}, "ram"),
        ({"ram": "0"}, "ram"),
        ({"ram": "many"}, "ram"),
        ({"ram": -1}, "ram"),
        ({"ram": 2147483648}, "ram"),
        ({"ram": "2147483648"}, "ram"),
        ({"ram": 1.5}, "ram"),
        ({"ram": []}, "ram"),
        ({"vcpus": 0}, "vcpus"),
        ({"vcpus": ""}, "vcpus"),
        ({"disk": -1}, "disk"),
        ({"swap": -1}, "swap"),
        ({"rxtx_factor": 0}, "rxtx_factor"),
        ({"rxtx_factor": "0.0"}, "rxtx_factor"),
        ({"rxtx_factor": "fast"}, "rxtx_factor"),
        ({"os-flavor-access:is_public": "maybe"}, "os-flavor-access:is_public"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_bad_value_is_refused_by_its_name(cloud: Cloud, values: dict[str, Any], field: str) -> None:
    answer = cloud("POST", "/flavors", "2.1", ADMIN, json={"flavor": NEW | values})
    assert answer.status_code == 400
    assert field in answer.json["badRequest"]["message"]


@pytest.mark.parametrize(
    "body", [None, [], "x", {}, {"flavor": None}, {"flavor": []}, {"flavor": {}}, {"flavors": NEW}]
)
def test_a_body_of_another_shape_is_refused(cloud: Cloud, body: object) -> None:
    assert cloud("POST", "/flavors", "2.1", ADMIN, json=body).status_code == 400


@pytest.mark.parametrize("left_out", ["name", "ram", "vcpus", "disk"])
def test_what_a_new_flavor_must_have(cloud: Cloud, left_out: str) -> None:
    body = {"flavor": {name: value for name, value in NEW.items() if name != left_out}}
    answer = cloud("POST", "/flavors", "2.1", ADMIN, json=body)
    assert answer.status_code == 400
    assert left_out in answer.json["badRequest"]["message"]


def test_names_and_ids_are_taken_once(cloud: Cloud) -> None:
    create(cloud, id="b1")
    same_name = cloud("POST", "/flavors", "2.1", ADMIN, json={"flavor": NEW | {"id": "b2"}})
    assert same_name.status_code == 409
    assert same_name.json["conflictingRequest"]["message"] == "Flavor with name big already exists."
    same_id = cloud("POST", "/flavors", "2.1", ADMIN, json={"flavor": NEW | {"name": "other", "id": "b1"}})
    assert same_id.status_code == 409
    assert same_id.json["conflictingRequest"]["message"] == "Flavor with ID b1 already exists."


def test_a_description_needs_2_55_and_the_answer_says_so(cloud: Cloud) -> None:
    body = {"flavor": NEW | {"description": "for databases"}}
    refused = cloud("POST", "/flavors", "2.54", ADMIN, json=body)
    assert refused.status_code == 400
    assert "2.55" in refused.json["badRequest"]["message"]
    made = cloud("POST", "/flavors", "2.55", ADMIN, json=body).json["flavor"]
    assert made["description"] == "for databases"


def test_only_the_description_can_change(cloud: Cloud) -> None:
    create(cloud, id="b1")
    for version in ("2.55", "2.61", "2.75", "2.102", "3.0"):
        for text in ("of " + version, None):
            changed = cloud("PUT", "/flavors/b1", version, ADMIN, json={"flavor": {"description": text}})
            assert (changed.status_code, changed.json["flavor"]["description"]) == (200, text)
            assert cloud("GET", "/flavors/b1", version).json["flavor"]["description"] == text
    assert cloud("PUT", "/flavors/b1", "2.55", ADMIN, json={"flavor": {}}).status_code == 400
    assert cloud("PUT", "/flavors/b1", "2.55", ADMIN, json={"flavor": {"ram": 1}}).status_code == 400
    assert cloud("PUT", "/flavors/none", "2.55", ADMIN, json={"flavor": {"description": "x"}}).status_code == 404
    assert cloud("PUT", "/flavors/b1", "2.54", ADMIN, json={"flavor": {"description": "x"}}).status_code == 404


@pytest.mark.parametrize(("version", "status"), [("2.1", 202), ("2.104", 202), ("3.0", 204)])
def test_delete(cloud: Cloud, version: str, status: int) -> None:
    create(cloud, id="b1")
    gone = cloud("DELETE", "/flavors/b1", version, ADMIN)
    assert (gone.status_code, gone.text) == (status, "")
    missing = cloud("GET", "/flavors/b1", "2.1", ADMIN)
    assert missing.status_code == 404
    assert missing.json["itemNotFound"]["message"] == "Flavor b1 could not be found."
    assert cloud("DELETE", "/flavors/b1", version, ADMIN).status_code == 404


@pytest.mark.parametrize("token", [MEMBER, READER, NOBODY])
def test_managing_is_for_administrators(cloud: Cloud, token: str) -> None:
    assert cloud("POST", "/flavors", "2.1", token, json={"flavor": NEW}).status_code == 403
    assert cloud("PUT", "/flavors/42", "2.55", token, json={"flavor": {"description": "x"}}).status_code == 403
    assert cloud("DELETE", "/flavors/42", "2.1", token).status_code == 403
    assert cloud("GET", "/flavors/42", "2.1", token).status_code == 200


def test_extra_specs_are_shown_to_those_who_may_list_them(cloud: Cloud) -> None:
    cloud("POST", "/flavors/42/os-extra_specs", "2.1", ADMIN, json={"extra_specs": {"hw:cpu_policy": "shared"}})
    for token, shown in ((ADMIN, True), (MEMBER, True), (READER, True), (NOBODY, False)):
        one = cloud("GET", "/flavors/42", "2.61", token).json["flavor"]
        many = cloud("GET", "/flavors/detail?limit=1000", "2.61", token).json["flavors"]
        assert ("extra_specs" in one) == shown
        assert all(("extra_specs" in flavor) == shown for flavor in many)
    assert cloud("GET", "/flavors/42", "2.61").json["flavor"]["extra_specs"] == {"hw:cpu_policy": "shared"}


def test_private_flavors_are_hidden_from_projects_without_access(cloud: Cloud) -> None:
    create(cloud, id="b1", **{"os-flavor-access:is_public": False})
    assert cloud("GET", "/flavors/b1", "2.1", MEMBER).status_code == 404
    assert "big" not in names(cloud)
    assert "big" not in names(cloud, token=ADMIN)
    cloud("POST", "/flavors/b1/action", "2.1", ADMIN, json={"addTenantAccess": {"tenant": "p1"}})
    assert cloud("GET", "/flavors/b1", "2.1", MEMBER).status_code == 200
    assert cloud("GET", "/flavors/b1", "2.1", STRANGER).status_code == 404
    assert "big" in names(cloud)
    assert "big" not in names(cloud, token=STRANGER)


def test_administrators_choose_public_private_or_both(cloud: Cloud) -> None:
    create(cloud, id="b1", **{"os-flavor-access:is_public": False})
    public = names(cloud, token=ADMIN)
    assert names(cloud, "?is_public=true", token=ADMIN) == public
    assert names(cloud, "?is_public=0", token=ADMIN) == ["big"]
    assert sorted(names(cloud, "?is_public=None", token=ADMIN)) == sorted([*public, "big"])
    assert names(cloud, "?is_public=false", token=MEMBER) == public  # not theirs to choose
    refused = cloud("GET", "/flavors?is_public=maybe", "2.1", ADMIN)
    assert refused.status_code == 400
    assert refused.json["badRequest"]["message"] == "Invalid is_public filter [maybe]"


def test_public_counts_in_what_the_callers_project_was_given(cloud: Cloud) -> None:
    create(cloud, id="b1", **{"os-flavor-access:is_public": False})
    cloud("POST", "/flavors/b1/action", "2.1", ADMIN, json={"addTenantAccess": {"tenant": "admin"}})
    assert "big" in names(cloud, token=ADMIN)
    assert "big" in names(cloud, "?is_public=false", token=ADMIN)


def test_filters_by_size_and_name(cloud: Cloud) -> None:
    assert names(cloud, "?minRam=4096") == ["m1.medium", "m1.large", "m1.xlarge"]
    assert names(cloud, "?minDisk=80&minRam=1") == ["m1.large", "m1.xlarge"]
    assert names(cloud, "?min_disk=80&min_ram=1", "3.0") == ["m1.large", "m1.xlarge"]
    assert names(cloud, "?name=m1.tiny", "2.102") == ["m1.tiny"]
    assert len(names(cloud, "?name=m1.tiny", "2.74")) > 1
    for query in ("minRam=x", "minDisk=", "minRam=1e3"):
        assert cloud("GET", f"/flavors?{query}").status_code == 400


def test_order(cloud: Cloud) -> None:
    by_id = names(cloud)
    assert by_id == names(cloud, "?sort_key=flavorid")
    by_memory = ["m1.pico", "m1.nano", "m1.micro", "m1.tiny", "m1.small", "m1.medium", "m1.large", "m1.xlarge"]
    assert names(cloud, "?sort_key=memory_mb") == by_memory
    assert names(cloud, "?sort_key=memory_mb&sort_dir=desc") == by_memory[::-1]
    assert names(cloud, "?sort_key=ram&sort_dir=desc", "3.0") == by_memory[::-1]
    assert names(cloud, version="3.0") == by_id


@pytest.mark.parametrize(
    "key",
    [
        *("created_at", "description", "disabled", "ephemeral_gb", "flavorid", "id", "is_public", "memory_mb", "name"),
        *("root_gb", "swap", "updated_at", "vcpu_weight", "vcpus", "rxtx_factor"),
    ],
)
def test_every_sort_key_of_nova_is_taken(cloud: Cloud, key: str) -> None:
    assert len(names(cloud, f"?sort_key={key}")) == 8
    assert cloud("GET", f"/flavors?sort_key={key}", "2.102").status_code == (400 if key == "rxtx_factor" else 200)


@pytest.mark.parametrize("key", ["description", "disk", "ephemeral", "id", "is_public", "name", "ram", "swap", "vcpus"])
def test_every_sort_key_of_3_0_is_taken(cloud: Cloud, key: str) -> None:
    assert len(names(cloud, f"?sort_key={key}", "3.0")) == 8


@pytest.mark.parametrize("query", ["sort_key=colour", "sort_dir=sideways", "limit=-1", "limit=x", "limit="])
def test_bad_queries_are_refused_by_name(cloud: Cloud, query: str) -> None:
    answer = cloud("GET", f"/flavors?{query}")
    assert answer.status_code == 400
    assert query.partition("=")[0] in answer.json["badRequest"]["message"]


@pytest.mark.parametrize(("path", "key"), [("/flavors", "flavors_links"), ("/flavors/detail", "flavors_links")])
def test_pages_lead_through_the_whole_list(cloud: Cloud, path: str, key: str) -> None:
    everything = [flavor["id"] for flavor in cloud("GET", path).json["flavors"]]
    seen: list[str] = []
    query = "?limit=3&minRam=1"
    for _ in range(4):
        page = cloud("GET", path + query).json
        seen += [flavor["id"] for flavor in page["flavors"]]
        if key not in page:
            break
        (link,) = page[key]
        target = urlsplit(link["href"])
        assert (link["rel"], target.path) == ("next", f"/v2.1{path}")
        assert "minRam=1" in target.query
        query = f"?{target.query}"
    assert seen == everything


def test_a_page_is_never_larger_than_the_service_allows(cloud: Cloud) -> None:
    cloud.compute.conf.set_override("max_limit", 3, group="api")
    try:
        for query in ("", "?limit=100"):
            page = cloud("GET", f"/flavors{query}").json
            assert len(page["flavors"]) == 3
            assert "marker=3" in page["flavors_links"][0]["href"]
    finally:
        cloud.compute.conf.clear_override("max_limit", group="api")


def test_pages_of_3_0_have_their_link_in_links(cloud: Cloud) -> None:
    page = cloud("GET", "/flavors?limit=2", "3.0").json
    assert set(page) == {"flavors", "links"}
    assert urlsplit(page["links"][0]["href"]).path == "/v3/flavors"
    assert "links" not in cloud("GET", "/flavors", "3.0").json


def test_a_limit_of_nothing_and_an_unknown_marker(cloud: Cloud) -> None:
    assert cloud("GET", "/flavors?limit=0").json == {"flavors": []}
    answer = cloud("GET", "/flavors?marker=nothing")
    assert answer.status_code == 400
    assert answer.json["badRequest"]["message"] == "marker [nothing] not found"


def test_unknown_queries_are_ignored_until_2_74_and_refused_after(cloud: Cloud) -> None:
    assert cloud("GET", "/flavors?colour=red", "2.74").status_code == 200
    assert cloud("GET", "/flavors?colour=red", "2.75").status_code == 400
    assert cloud("GET", "/flavors/42?colour=red", "2.101").status_code == 200
    for version in ("2.102", "3.0"):
        assert cloud("GET", "/flavors/42?colour=red", version).status_code == 400
