"""Hypervisors: numbers and uuids, text and object, servers, pages, and the routes that ended."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.functional.cloud import ADMIN, HOST, MEMBER, NOBODY, NODE, READER, UPTIME, Cloud

MISSING = "0b1f3d2e-8a55-4d8c-9c34-0d6a1f0a7cff"
BRIEF = {"id", "hypervisor_hostname", "state", "status"}
CAPACITY = {
    *("vcpus", "vcpus_used", "memory_mb", "memory_mb_used", "free_ram_mb", "local_gb", "local_gb_used"),
    *("free_disk_gb", "disk_available_least", "current_workload", "running_vms"),
}
FULL = BRIEF | CAPACITY | {"hypervisor_type", "hypervisor_version", "host_ip", "cpu_info", "service"}
FULL_2_88 = (FULL - CAPACITY - {"cpu_info"}) | {"uptime"}


def path(version: str, rest: str = "") -> str:
    return ("/hypervisors" if version == "3.0" else "/os-hypervisors") + rest


def get(cloud: Cloud, version: str, rest: str = "", status: int = 200) -> Any:
    answer = cloud("GET", path(version, rest), version, ADMIN)
    assert answer.status_code == status, answer.text
    return answer.json


def only(cloud: Cloud, version: str, rest: str = "") -> dict[str, Any]:
    (found,) = get(cloud, version, rest)["hypervisors"]
    return found


@pytest.mark.parametrize(
    ("version", "keys"),
    [
        ("2.1", FULL),
        ("2.28", FULL),
        ("2.52", FULL),
        ("2.53", FULL),
        ("2.87", FULL),
        ("2.88", FULL_2_88),
        ("2.104", FULL_2_88),
        ("3.0", {"id", "hostname", "state", "status", "type", "version", "host_ip", "uptime", "service"}),
    ],
)
def test_what_a_hypervisor_shows(cloud: Cloud, version: str, keys: set[str]) -> None:
    listed = only(cloud, version, "/detail")
    assert set(listed) == keys
    assert get(cloud, version, f"/{listed['id']}") == {"hypervisor": listed}
    assert set(listed["service"]) == {"id", "host", "disabled_reason"}
    plain = only(cloud, version)
    assert set(plain) == (BRIEF if version != "3.0" else {"id", "hostname", "state", "status"})


@pytest.mark.parametrize(("version", "id_type"), [("2.1", int), ("2.52", int), ("2.53", str), ("3.0", str)])
def test_ids_are_numbers_until_2_52_and_uuids_after(cloud: Cloud, version: str, id_type: type) -> None:
    hypervisor = only(cloud, version, "/detail")
    assert type(hypervisor["id"]) is type(hypervisor["service"]["id"]) is id_type


def test_cpu_info_is_text_until_2_27(cloud: Cloud) -> None:
    assert json.loads(only(cloud, "2.27", "/detail")["cpu_info"]) == NODE["cpu_info"]
    assert only(cloud, "2.28", "/detail")["cpu_info"] == NODE["cpu_info"]


def test_capacity_counts_the_servers(cloud: Cloud) -> None:
    cloud.add_server("one", flavor_id="1")
    hypervisor = only(cloud, "2.1", "/detail")
    assert (hypervisor["vcpus"], hypervisor["vcpus_used"]) == (4, 1)
    assert (hypervisor["memory_mb"], hypervisor["memory_mb_used"], hypervisor["free_ram_mb"]) == (8192, 1024, 7168)
    assert (hypervisor["local_gb"], hypervisor["local_gb_used"], hypervisor["free_disk_gb"]) == (100, 1, 99)
    assert (hypervisor["running_vms"], hypervisor["current_workload"]) == (1, 1)


def test_state_and_status_are_those_of_the_service(cloud: Cloud) -> None:
    service = {"host": HOST, "binary": "nova-compute"}
    cloud("PUT", "/os-services/force-down", "2.11", ADMIN, json=service | {"forced_down": True})
    reason = service | {"disabled_reason": "disk"}
    cloud("PUT", "/os-services/disable-log-reason", "2.11", ADMIN, json=reason)
    hypervisor = only(cloud, "2.53", "/detail")
    assert (hypervisor["state"], hypervisor["status"]) == ("down", "disabled")
    assert hypervisor["service"]["disabled_reason"] == "disk"


def test_servers_come_when_asked_for(cloud: Cloud) -> None:
    for version, empty in (("2.53", None), ("2.74", None), ("2.75", []), ("2.88", []), ("3.0", [])):
        for rest in ("?with_servers=true", "/detail?with_servers=1"):
            assert only(cloud, version, rest).get("servers") == empty
        assert "servers" not in only(cloud, version, "?with_servers=no")
    server_id = cloud.add_server("one")
    for version in ("2.53", "2.75", "2.88"):
        expected = [{"uuid": server_id, "name": "one"}]
        assert only(cloud, version, "?with_servers=true")["servers"] == expected
        hypervisor_id = only(cloud, version)["id"]
        shown = get(cloud, version, f"/{hypervisor_id}?with_servers=true")["hypervisor"]
        assert shown["servers"] == expected
    assert only(cloud, "3.0", "?with_servers=true")["servers"] == [{"id": server_id, "name": "one"}]
    get(cloud, "2.53", "?with_servers=perhaps", status=400)


def test_search_by_a_part_of_the_name(cloud: Cloud) -> None:
    for version in ("2.1", "2.52"):
        assert only(cloud, version, "/ost/search")["hypervisor_hostname"] == HOST
        message = get(cloud, version, "/none/search", status=404)["itemNotFound"]["message"]
        assert message == "No hypervisor matching 'none' could be found."
    for version in ("2.53", "2.104"):
        query = "?hypervisor_hostname_pattern="
        assert only(cloud, version, f"{query}ost")["hypervisor_hostname"] == HOST
        assert only(cloud, version, f"/detail{query}ost")["hypervisor_hostname"] == HOST
        get(cloud, version, f"{query}none", status=404)
        get(cloud, version, f"{query}", status=400)
        get(cloud, version, f"{query}a%20b", status=400)
        paged = get(cloud, version, f"{query}ost&limit=1", status=400)["badRequest"]["message"]
        assert "Paging over hypervisors" in paged
        assert "hypervisors_links" not in get(cloud, version, f"{query}ost")
    assert only(cloud, "3.0", "?hostname_pattern=ost")["hostname"] == HOST


def test_servers_of_hypervisors_by_name_until_2_52(cloud: Cloud) -> None:
    assert "servers" not in only(cloud, "2.1", "/ost/servers")
    server_id = cloud.add_server("one")
    assert only(cloud, "2.52", "/ost/servers")["servers"] == [{"uuid": server_id, "name": "one"}]
    get(cloud, "2.52", "/none/servers", status=404)


@pytest.mark.parametrize(
    ("rest", "last"),
    [(f"/{HOST}/search", "2.52"), (f"/{HOST}/servers", "2.52"), ("/statistics", "2.87"), ("/ID/uptime", "2.87")],
)
def test_routes_that_ended(cloud: Cloud, rest: str, last: str) -> None:
    after = f"2.{int(last[2:]) + 1}"
    rest = rest.replace("ID", str(only(cloud, last)["id"]))
    get(cloud, last, rest)
    assert f"to {last}" in get(cloud, after, rest, status=404)["itemNotFound"]["message"]


@pytest.mark.parametrize("version", ["2.1", "2.53", "2.87"])
def test_uptime(cloud: Cloud, version: str) -> None:
    hypervisor_id = only(cloud, version)["id"]
    answer = get(cloud, version, f"/{hypervisor_id}/uptime")["hypervisor"]
    assert set(answer) == BRIEF | {"uptime"}
    assert answer["uptime"] == UPTIME


def test_statistics(cloud: Cloud) -> None:
    cloud.add_server("one")
    answer = get(cloud, "2.1", "/statistics")["hypervisor_statistics"]
    assert set(answer) == CAPACITY | {"count"}
    assert (answer["count"], answer["running_vms"], answer["vcpus"]) == (1, 1, 4)


def test_pages_from_2_33_on(cloud: Cloud) -> None:
    assert "hypervisors_links" not in get(cloud, "2.32", "?limit=1&marker=none")
    for version in ("2.33", "2.52", "2.53", "2.104"):
        for rest in ("", "/detail"):
            page = get(cloud, version, f"{rest}?limit=1")
            (link,) = page["hypervisors_links"]
            assert link["href"].endswith(f"/os-hypervisors{rest}?limit=1&marker={page['hypervisors'][0]['id']}")
            following = get(cloud, version, f"{rest}?{link['href'].partition('?')[2]}")
            assert following == {"hypervisors": []}
            assert get(cloud, version, f"{rest}?limit=0") == {"hypervisors": []}
        get(cloud, version, "?marker=999", status=400)
        get(cloud, version, "?limit=x", status=400)
    get(cloud, "2.53", "?limit=1&limit=2", status=400)
    assert "/v3/hypervisors?limit=1&marker=" in get(cloud, "3.0", "?limit=1")["links"][0]["href"]


@pytest.mark.parametrize(
    ("version", "hypervisor_id", "status"),
    [
        ("2.1", "999", 404),
        ("2.1", "x", 404),
        ("2.52", MISSING, 404),
        ("2.53", MISSING, 404),
        ("2.53", "1", 400),
        ("3.0", "x", 400),
    ],
)
def test_unknown_and_malformed_ids(cloud: Cloud, version: str, hypervisor_id: str, status: int) -> None:
    get(cloud, version, f"/{hypervisor_id}", status=status)
    if version != "3.0":
        get(cloud, version, f"/{hypervisor_id}/uptime", status=status)


def test_unknown_queries_are_refused_from_2_53_on(cloud: Cloud) -> None:
    get(cloud, "2.52", "?colour=red")
    get(cloud, "2.53", "?colour=red", status=400)
    get(cloud, "3.0", "/detail?colour=red", status=400)


@pytest.mark.parametrize("token", [MEMBER, READER, NOBODY])
@pytest.mark.parametrize(
    "rest", ["", "/detail", "/1", "/1/uptime", "/statistics", f"/{HOST}/search", f"/{HOST}/servers"]
)
def test_it_is_for_administrators(cloud: Cloud, rest: str, token: str) -> None:
    assert cloud("GET", f"/os-hypervisors{rest}", "2.1", token).status_code == 403
