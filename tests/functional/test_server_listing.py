"""Listing servers: filters and who may use them, order, pages, deleted servers, other projects."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from nova_lite import schemas
from nova_lite.api.versions import Version
from nova_lite.context import RequestContext
from tests.functional.cloud import ADMIN, HOST, IMAGE_ID, MEMBER, Cloud

START = datetime(2026, 11, 1, 12, tzinfo=UTC)


def stamp(hour: int) -> str:
    return (START + timedelta(hours=hour)).strftime("%Y-%m-%dT%H:%M:%SZ")


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """Five servers of p1 (one deleted) and one of p2, made at one-hour distances."""
    cloud = Cloud(Path(tmp_path_factory.mktemp("cloud")))
    launched = {"launched_at": START, "power_state": 1, "task_state": None}
    rows: list[dict[str, Any]] = [
        {"name": "alpha", "vm_state": "active", "tags": ["red"], **launched},
        {"name": "beta", "vm_state": "stopped", "tags": ["red", "blue"], **launched, "power_state": 4},
        {"name": "gamma", "vm_state": "error", "task_state": None, "tags": []},
        {"name": "delta", "vm_state": "active", "tags": ["blue"], **launched, "task_state": "reboot_started"},
        {"name": "omega", "vm_state": "deleted", "deleted": True, "terminated_at": START, "task_state": None},
        {"name": "other", "project_id": "p2", "vm_state": "active", **launched},
    ]
    for hour, row in enumerate(rows):
        name, project = row.pop("name"), row.pop("project_id", "p1")
        context = RequestContext(user_id="u1", project_id=project, roles=["member"])
        (made,) = cloud.compute.create(
            context, name=name, flavor_ref="42", image_ref=IMAGE_ID, hostname=f"host-{name}", access_ip_v4="192.0.2.1"
        )
        at = START + timedelta(hours=hour)
        cloud.set_server(made.uuid, created_at=at, updated_at=at, locked=name == "beta", **row)
    yield cloud
    cloud.close()


def names(cloud: Cloud, query: str = "", version: str = "2.1", token: str = MEMBER) -> list[str]:
    answer = cloud("GET", f"/servers{query}", version, token)
    assert answer.status_code == 200, answer.text
    return [server["name"] for server in answer.json["servers"]]


def refusal(answer: Any, code: int = 400) -> str:
    assert answer.status_code == code, answer.text
    (fault,) = answer.json.values()
    return fault["message"]


def test_the_newest_comes_first_and_deleted_ones_and_strangers_stay_out(full: Cloud) -> None:
    assert names(full) == ["delta", "gamma", "beta", "alpha"]
    assert names(full, token="u1:p2") == ["other"]
    assert names(full, token="u1:p3") == []


@pytest.mark.parametrize(
    ("query", "version", "found"),
    [
        ("?name=al", "2.1", ["alpha"]),
        ("?name=^.*ta$", "2.1", ["delta", "beta"]),
        ("?status=ACTIVE", "2.1", ["delta", "alpha"]),
        ("?status=active&status=shutoff", "2.1", ["delta", "beta", "alpha"]),
        ("?status=REBOOT", "2.1", ["delta"]),
        ("?status=ERROR", "2.1", ["gamma"]),
        ("?status=nonsense", "2.37", []),
        ("?flavor=42", "2.1", ["delta", "gamma", "beta", "alpha"]),
        ("?flavor=1", "2.1", []),
        (f"?image={IMAGE_ID}", "2.1", ["delta", "gamma", "beta", "alpha"]),
        ("?image=nonsense", "2.1", []),
        ("?ip=192", "2.1", []),
        ("?ip6=fe80", "2.5", []),
        ("?tags=red", "2.26", ["beta", "alpha"]),
        ("?tags=red,blue", "2.26", ["beta"]),
        ("?tags-any=red,blue", "2.26", ["delta", "beta", "alpha"]),
        ("?not-tags=red,blue", "2.26", ["delta", "gamma", "alpha"]),
        ("?not-tags-any=red", "2.26", ["delta", "gamma"]),
        ("?tags=red", "2.25", ["delta", "gamma", "beta", "alpha"]),
        ("?locked=true", "2.73", ["beta"]),
        ("?locked=0", "2.73", ["delta", "gamma", "alpha"]),
        ("?locked=true", "2.72", ["delta", "gamma", "beta", "alpha"]),
        (f"?changes-since={stamp(2)}", "2.1", ["omega", "delta", "gamma"]),
        (f"?changes-before={stamp(1)}", "2.66", ["beta", "alpha"]),
        (f"?changes-since={stamp(1)}&changes-before={stamp(2)}", "2.66", ["gamma", "beta"]),
        (f"?changes-before={stamp(1)}", "2.65", ["delta", "gamma", "beta", "alpha"]),
    ],
)
def test_filters_for_everyone(full: Cloud, query: str, version: str, found: list[str]) -> None:
    assert names(full, query, version) == found


@pytest.mark.parametrize(
    ("query", "since", "found"),
    [
        ("?vm_state=stopped", 83, ["beta"]),
        ("?power_state=4", 83, ["beta"]),
        ("?task_state=reboot_started", 83, ["delta"]),
        ("?availability_zone=mars", 83, []),
        ("?config_drive=True", 83, []),
        ("?user_id=u7", 83, []),
        ("?progress=7", 83, []),
        ("?hostname=host-al", 90, ["alpha"]),
        ("?host=elsewhere", 999, []),
        ("?node=elsewhere", 999, []),
        ("?description=lorem", 999, []),
        ("?display_name=alpha", 999, ["alpha"]),
        ("?image_ref=nonsense", 999, []),
        ("?deleted=true", 999, ["omega"]),
        ("?launch_index=3", 999, []),
        ("?access_ip_v4=192.0.2.9", 999, []),
        ("?locked_by=admin", 999, []),
        ("?auto_disk_config=False", 999, []),
        ("?uuid=00000000-0000-4000-8000-000000000000", 999, []),
    ],
)
def test_filters_for_administrators_are_ignored_for_others_until_opened(
    full: Cloud, query: str, since: int, found: list[str]
) -> None:
    everything = ["delta", "gamma", "beta", "alpha"]
    for minor in (1, 74, 82, 83, 89, 90, 104):
        assert names(full, query, f"2.{minor}") == (found if minor >= since else everything), minor
    assert names(full, query + "&all_tenants=1&project_id=p1", "2.1", ADMIN) == found


def test_all_tenants_is_for_administrators(full: Cloud) -> None:
    assert len(names(full, "?all_tenants=1", token=ADMIN)) == 5
    assert len(names(full, "?all_tenants", token=ADMIN)) == 5
    assert names(full, "?all_tenants=1&project_id=p2", token=ADMIN) == ["other"]
    assert names(full, "?all_tenants=1&tenant_id=p2", token=ADMIN) == ["other"]
    assert names(full, "?all_tenants=0", token=ADMIN) == []
    assert names(full, "?tenant_id=p2", token=ADMIN) == []
    assert len(names(full, "?all_tenants=false")) == 4
    for path, rule in (("/servers", "index"), ("/servers/detail", "detail")):
        message = refusal(full("GET", f"{path}?all_tenants=1"), 403)
        assert f"os_compute_api:servers:{rule}:get_all_tenants" in message
    assert "all_tenants" in refusal(full("GET", "/servers?all_tenants=maybe"))


def test_deleted_servers_are_for_administrators(full: Cloud) -> None:
    assert names(full, "?all_tenants=1&status=deleted", token=ADMIN) == ["omega"]
    assert names(full, "?all_tenants=1&deleted=1", token=ADMIN) == ["omega"]
    assert refusal(full("GET", "/servers?status=DELETED"), 403) == "Only administrators may list deleted instances"
    shown = full("GET", "/servers/detail?all_tenants=1&deleted=1", "2.1", ADMIN).json["servers"][0]
    assert shown["status"] == "DELETED"
    assert shown["OS-SRV-USG:terminated_at"] == "2026-11-01T12:00:00.000000"


@pytest.mark.parametrize(
    ("query", "version", "found"),
    [
        ("?sort_key=display_name&sort_dir=asc", "2.1", ["alpha", "beta", "delta", "gamma"]),
        ("?sort_key=display_name", "2.1", ["gamma", "delta", "beta", "alpha"]),
        ("?sort_key=vm_state&sort_key=display_name&sort_dir=asc", "2.1", ["alpha", "delta", "gamma", "beta"]),
        ("?sort_key=vm_state&sort_dir=desc&sort_key=display_name&sort_dir=asc", "2.1",
         ["beta", "gamma", "alpha", "delta"]),
        ("?sort_key=memory_mb", "2.74", ["delta", "gamma", "beta", "alpha"]),
        ("?sort_key=locked&sort_dir=desc", "2.73", ["beta", "delta", "gamma", "alpha"]),
        ("?sort_key=locked&sort_dir=asc", "2.72", ["delta", "gamma", "beta", "alpha"]),
    ],
)
def test_order(full: Cloud, query: str, version: str, found: list[str]) -> None:
    assert names(full, query, version) == found


def test_sort_keys_are_checked(full: Cloud) -> None:
    assert "sort_key" in refusal(full("GET", "/servers?sort_key=colour"))
    assert "sort_key" in refusal(full("GET", "/servers?sort_key=memory_mb", "2.75"))
    assert "sideways" in refusal(full("GET", "/servers?sort_key=vm_state&sort_dir=sideways"))
    assert refusal(full("GET", "/servers?sort_key=host"), 403) == "Only administrators can sort servers by host"
    assert len(names(full, "?sort_key=host&all_tenants=1", token=ADMIN)) == 5


@pytest.mark.parametrize(
    ("query", "version"),
    [
        ("?status=nonsense", "2.38"),
        ("?changes-since=yesterday", "2.1"),
        ("?changes-before=tomorrow", "2.66"),
        (f"?changes-since={stamp(2)}&changes-before={stamp(1)}", "2.66"),
        ("?limit=-1", "2.1"),
        ("?limit=many", "2.1"),
        ("?marker=nonsense", "2.1"),
        ("?name=(", "2.1"),
        ("?name=(a%2B)%2B%24", "2.1"),
        ("?locked=maybe", "2.73"),
        ("?power_state=up", "2.83"),
        ("?colour=red", "2.75"),
        ("?tags=(", "2.26"),
    ],
)
def test_bad_queries_are_refused_with_the_name_of_the_parameter(full: Cloud, query: str, version: str) -> None:
    message = refusal(full("GET", f"/servers{query}", version))
    name = query[1:].partition("=")[0]
    assert name in message or "regular expression" in message or "matching" in message, message
    assert full("GET", f"/servers/detail{query}", version).status_code == 400


def test_unknown_parameters_are_ignored_until_2_74(full: Cloud) -> None:
    assert len(names(full, "?colour=red", "2.74")) == 4
    assert "colour" in refusal(full("GET", "/servers?colour=red", "2.75"))
    # Before 2.75 the names of joined tables were known too, and refused to those whose filters count.
    assert "Invalid filter field: metadata." in refusal(full("GET", "/servers?metadata=x", "2.1", ADMIN))
    assert len(names(full, "?metadata=x", "2.1")) == 4


def test_pages_lead_from_one_to_the_next(full: Cloud) -> None:
    for path, version in (("/servers", "2.1"), ("/servers/detail", "2.104"), ("/servers", "3.0")):
        seen: list[str] = []
        links_name = "links" if version == "3.0" else "servers_links"
        query = f"{path}?limit=3&sort_key={'name' if version == '3.0' else 'display_name'}&sort_dir=asc"
        while query:
            page = full("GET", query, version).json
            seen += [server["name"] for server in page["servers"]]
            (link,) = page.get(links_name, [{"href": ""}])
            assert not link["href"] or link["rel"] == "next"
            query = link["href"].partition("/v3" if version == "3.0" else "/v2.1")[2]
        assert seen == ["alpha", "beta", "delta", "gamma"]
    empty = full("GET", "/servers?limit=0").json
    assert empty == {"servers": []}


def test_no_page_is_longer_than_the_operator_allows(tmp_path: Path) -> None:
    cloud = Cloud(tmp_path, api={"max_limit": 2})
    for name in "abc":
        cloud.add_server(name)
    for query in ("", "?limit=100"):
        page = cloud("GET", f"/servers{query}").json
        assert len(page["servers"]) == 2
        assert page["servers_links"][0]["rel"] == "next"
    cloud.close()


def test_a_marker_of_a_stranger_is_no_marker(full: Cloud) -> None:
    (other,) = full("GET", "/servers", token="u1:p2").json["servers"]
    assert refusal(full("GET", f"/servers?marker={other['id']}")) == f"marker [{other['id']}] not found"


def test_3_0_filters_by_plain_names(full: Cloud) -> None:
    assert names(full, "?status=ACTIVE&tags_any=red,blue", "3.0") == ["delta", "alpha"]
    assert names(full, f"?changes_since={quote(stamp(2))}", "3.0") == ["omega", "delta", "gamma"]
    assert len(names(full, "?all_projects=1", "3.0", ADMIN)) == 5
    assert names(full, f"?all_projects=1&hypervisor_hostname={HOST}&name=al", "3.0", ADMIN) == ["alpha"]
    assert names(full, "?sort_key=name&sort_dir=asc&limit=2", "3.0") == ["alpha", "beta"]
    (alpha,) = full("GET", "/servers?name=alpha", "3.0").json["servers"]
    assert names(full, f"?all_projects=1&id={alpha['id']}", "3.0", ADMIN) == ["alpha"]
    for alien in ("sort_key=display_name", "uuid=x", "changes-since=x", "all_tenants=1", "tenant_id=p1"):
        assert full("GET", f"/servers?{alien}", "3.0").status_code == 400


@pytest.mark.parametrize("version", ["2.1", "2.74", "2.104", "3.0"])
def test_every_sort_key_sorts_and_no_filter_breaks_on_odd_values(full: Cloud, version: str) -> None:
    query = schemas.servers.index.query
    assert query is not None
    entry = query.at(Version.parse(version))
    assert entry is not None and entry.schema is not None
    properties = entry.schema["properties"]
    for key in properties["sort_key"]["items"]["enum"]:
        for direction in ("asc", "desc"):
            answer = full("GET", f"/servers?sort_key={key}&sort_dir={direction}&limit=2", version, ADMIN)
            assert answer.status_code == 200, (key, answer.text)
    for name in properties:
        for value in ("", "1", "-1", "x", "[", "%00", "%F0%9F%98%80", "9" * 30, "2026-11-01T12:00:00Z", "a,b"):
            answer = full("GET", f"/servers/detail?{name}={value}", version, ADMIN)
            assert answer.status_code in (200, 400), (name, value, answer.text)


def test_a_time_that_an_answer_shows_finds_the_server_again(cloud: Cloud) -> None:
    """Times are kept to the microsecond and shown to the second."""
    server_id = cloud.add_server("precise")
    cloud.set_server(server_id, created_at=START + timedelta(microseconds=654321))
    shown = cloud("GET", f"/servers/{server_id}", "2.83").json["server"]["created"]
    assert names(cloud, f"?created_at={quote(shown)}", "2.83") == ["precise"]
    assert names(cloud, f"?created_at={quote(stamp(1))}", "2.83") == []
