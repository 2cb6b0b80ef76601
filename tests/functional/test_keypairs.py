"""Keypairs: versions, whose they are, generated and imported keys, pages."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import pytest
from cryptography.hazmat.primitives import serialization

from tests.functional.cloud import ADMIN, MEMBER, Cloud

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPDmDnWKPMpX1mKnfXV1OvKbGOVpk+FHxb5u8Cq2Ue4Y u1@laptop"
OTHER = "u9:p9"
BRIEF = {"name", "public_key", "fingerprint"}
FULL = BRIEF | {"user_id", "id", "created_at", "updated_at", "deleted", "deleted_at"}


def path(version: str, rest: str = "") -> str:
    return ("/keypairs" if version == "3.0" else "/os-keypairs") + rest


def create(cloud: Cloud, name: str, version: str = "2.1", token: str = MEMBER, **values: Any) -> Any:
    return cloud("POST", path(version), version, token, json={"keypair": {"name": name, "public_key": KEY} | values})


def names(cloud: Cloud, query: str = "", version: str = "2.10", token: str = MEMBER) -> list[str]:
    answer = cloud("GET", path(version, query), version, token)
    assert answer.status_code == 200, answer.text
    listed = answer.json["keypairs"]
    return [(each if version == "3.0" else each["keypair"])["name"] for each in listed]


@pytest.mark.parametrize(
    ("version", "created", "shown", "listed"),
    [
        ("2.1", BRIEF | {"user_id"}, FULL, BRIEF),
        ("2.2", BRIEF | {"user_id", "type"}, FULL | {"type"}, BRIEF | {"type"}),
        ("2.104", BRIEF | {"user_id", "type"}, FULL | {"type"}, BRIEF | {"type"}),
        (
            "3.0",
            BRIEF | {"user_id", "type", "created_at"},
            BRIEF | {"user_id", "type", "created_at"},
            BRIEF | {"type"},
        ),
    ],
)
def test_what_a_keypair_shows(cloud: Cloud, version: str, created: set, shown: set, listed: set) -> None:
    assert set(create(cloud, "mine", version).json["keypair"]) == created
    one = cloud("GET", path(version, "/mine"), version).json["keypair"]
    assert set(one) == shown
    assert one["public_key"] == KEY
    (entry,) = cloud("GET", path(version), version).json["keypairs"]
    assert set(entry if version == "3.0" else entry["keypair"]) == listed


def test_times_have_a_zone_in_3_0_only(cloud: Cloud) -> None:
    create(cloud, "mine")
    assert not cloud("GET", "/os-keypairs/mine").json["keypair"]["created_at"].endswith("Z")
    assert cloud("GET", "/keypairs/mine", "3.0").json["keypair"]["created_at"].endswith("Z")


@pytest.mark.parametrize(("version", "made", "gone"), [("2.1", 200, 202), ("2.2", 201, 204), ("3.0", 201, 204)])
def test_statuses(cloud: Cloud, version: str, made: int, gone: int) -> None:
    assert create(cloud, "mine", version).status_code == made
    deleted = cloud("DELETE", path(version, "/mine"), version)
    assert (deleted.status_code, deleted.text) == (gone, "")
    for method in ("GET", "DELETE"):
        missing = cloud(method, "/os-keypairs/mine", "2.2")
        assert missing.status_code == 404
        assert missing.json["itemNotFound"]["message"] == "Keypair mine not found for user u1"


@pytest.mark.parametrize("version", ["2.1", "2.2", "2.91"])
def test_a_pair_is_generated_where_no_key_is_given(cloud: Cloud, version: str) -> None:
    made = cloud("POST", "/os-keypairs", version, json={"keypair": {"name": "mine"}}).json["keypair"]
    private = serialization.load_pem_private_key(made["private_key"].encode(), None)
    public = serialization.load_ssh_public_key(made["public_key"].encode())
    assert private.public_key() == public
    assert "private_key" not in cloud("GET", "/os-keypairs/mine", version).json["keypair"]


@pytest.mark.parametrize("version", ["2.92", "2.104", "3.0"])
def test_a_key_must_be_given_from_2_92_on(cloud: Cloud, version: str) -> None:
    answer = cloud("POST", path(version), version, json={"keypair": {"name": "mine"}})
    assert answer.status_code == 400
    assert "public_key" in answer.text


@pytest.mark.parametrize(
    ("name", "until_2_91", "from_2_92"),
    [
        ("my key_1-a", 201, 201),
        ("me@home.org", 400, 201),
        ("a/b", 400, 400),
        ("", 400, 400),
        (" padded", 400, 400),
        ("é", 400, 400),
        ("x" * 255, 201, 201),
        ("x" * 256, 400, 400),
    ],
)
def test_names(cloud: Cloud, name: str, until_2_91: int, from_2_92: int) -> None:
    assert create(cloud, name, "2.91").status_code == until_2_91
    cloud("DELETE", f"/os-keypairs/{name}", "2.91")
    assert create(cloud, name, "2.92").status_code == from_2_92
    if from_2_92 == 201:
        assert cloud("GET", f"/os-keypairs/{name}", "2.92").json["keypair"]["name"] == name


@pytest.mark.parametrize(
    "values",
    [
        {"public_key": ""},
        {"public_key": "rubbish"},
        {"public_key": "ssh-rsa AAAA"},
        {"public_key": None},
        {"type": "pgp"},
        {"type": "x509"},  # an ssh key is no certificate
        {"user_id": 5},
        {"user_id": ["u1"]},
        {"user_id": {}},
        {"colour": "red"},
    ],
)
def test_bad_values_are_refused(cloud: Cloud, values: dict[str, Any]) -> None:
    assert create(cloud, "mine", "2.10", **values).status_code == 400
    assert names(cloud) == []


@pytest.mark.parametrize("body", [None, [], "x", {}, {"keypair": None}, {"keypair": []}, {"keypair": "x"}, {"x": {}}])
def test_a_body_of_another_shape_is_refused(cloud: Cloud, body: object) -> None:
    for version in ("2.1", "2.10", "3.0"):
        assert cloud("POST", path(version), version, json=body).status_code == 400


def test_type_and_user_id_need_their_version_and_the_answer_says_so(cloud: Cloud) -> None:
    assert "2.2" in create(cloud, "mine", "2.1", type="ssh").json["badRequest"]["message"]
    assert "2.10" in create(cloud, "mine", "2.9", user_id="u1").json["badRequest"]["message"]


def test_a_name_is_taken_once_for_each_user(cloud: Cloud) -> None:
    create(cloud, "mine")
    twice = create(cloud, "mine")
    assert twice.status_code == 409
    assert twice.json["conflictingRequest"]["message"] == "Key pair 'mine' already exists."
    assert create(cloud, "mine", token=OTHER).status_code == 200
    assert names(cloud) == names(cloud, token=OTHER) == ["mine"]


def test_the_quota(cloud: Cloud) -> None:
    conf = cloud.compute.conf
    conf.set_override("key_pairs", 1, group="quota")
    try:
        assert create(cloud, "one").status_code == 200
        over = create(cloud, "two")
    finally:
        conf.clear_override("key_pairs", group="quota")
    assert over.status_code == 403
    assert over.json["forbidden"]["message"] == "Quota exceeded, too many key pairs."


def test_administrators_act_for_other_users_from_2_10_on(cloud: Cloud) -> None:
    made = create(cloud, "theirs", "2.10", ADMIN, user_id="u1")
    assert (made.status_code, made.json["keypair"]["user_id"]) == (201, "u1")
    assert names(cloud) == ["theirs"]
    assert names(cloud, token=ADMIN) == []
    assert names(cloud, "?user_id=u1", token=ADMIN) == ["theirs"]
    assert cloud("GET", "/os-keypairs/theirs?user_id=u1", "2.10", ADMIN).status_code == 200
    assert cloud("GET", "/os-keypairs/theirs", "2.10", ADMIN).status_code == 404
    assert cloud("DELETE", "/os-keypairs/theirs?user_id=u1", "2.10", ADMIN).status_code == 204
    assert names(cloud) == []


def test_before_2_10_a_user_id_in_the_query_is_not_read(cloud: Cloud) -> None:
    create(cloud, "mine")
    create(cloud, "theirs", token=OTHER)
    assert names(cloud, "?user_id=u9", "2.9") == ["mine"]
    assert cloud("DELETE", "/os-keypairs/theirs?user_id=u9", "2.9").status_code == 404


# The one that is checked and the one that is acted on must be the same, however often the name is given.
@pytest.mark.parametrize("query", ["?user_id=u9", "?user_id=u9&user_id=u1", "?user_id=u9&user_id="])
def test_other_users_keypairs_are_not_for_members(cloud: Cloud, query: str) -> None:
    create(cloud, "theirs", "2.10", OTHER)
    assert cloud("GET", f"/os-keypairs{query}", "2.10").status_code == 403
    assert cloud("GET", f"/os-keypairs/theirs{query}", "2.10").status_code == 403
    assert cloud("DELETE", f"/os-keypairs/theirs{query}", "2.10").status_code == 403
    assert create(cloud, "new", "2.10", user_id="u9").status_code == 403
    assert names(cloud, token=OTHER) == ["theirs"]


def test_the_first_of_several_user_ids_counts(cloud: Cloud) -> None:
    create(cloud, "mine", "2.10")
    create(cloud, "theirs", "2.10", OTHER)
    assert names(cloud, "?user_id=u1&user_id=u9") == ["mine"]
    assert names(cloud, "?user_id=&user_id=u9") == ["mine"]
    assert cloud("GET", "/keypairs?user_id=u1&user_id=u9", "3.0").status_code == 400


@pytest.mark.parametrize("version", ["2.35", "2.104", "3.0"])
def test_pages_are_sorted_by_name(cloud: Cloud, version: str) -> None:
    for name in ("c", "a", "b"):
        create(cloud, name)
    first = cloud("GET", path(version, "?limit=2"), version).json
    (link,) = first["links" if version == "3.0" else "keypairs_links"]
    target = urlsplit(link["href"])
    assert target.path.endswith(path(version))
    assert names(cloud, "?limit=2", version) == ["a", "b"]
    assert names(cloud, f"?{target.query}", version) == ["c"]
    assert set(cloud("GET", path(version, f"?{target.query}"), version).json) == {"keypairs"}
    assert cloud("GET", path(version, "?marker=none"), version).status_code == 400
    assert cloud("GET", path(version, "?limit=-1"), version).status_code == 400


def test_limit_is_not_read_before_2_35(cloud: Cloud) -> None:
    for name in ("a", "b"):
        create(cloud, name)
    assert names(cloud, "?limit=1&marker=none", "2.34") == ["a", "b"]
    assert set(cloud("GET", "/os-keypairs?limit=1", "2.34").json) == {"keypairs"}


def test_unknown_queries_are_refused_from_2_75_on(cloud: Cloud) -> None:
    create(cloud, "mine")
    for rest in ("?colour=red", "/mine?colour=red"):
        assert cloud("GET", path("2.74", rest), "2.74").status_code == 200
        for version in ("2.75", "3.0"):
            assert cloud("GET", path(version, rest), version).status_code == 400
