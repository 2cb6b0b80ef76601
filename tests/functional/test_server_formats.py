"""What a server shows at every version: keys gained and lost, and the type of each value, against a list of our own.

The list follows Nova's published history (2.1 to 2.104); types are those of its API reference.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from nova_lite.api.versions import ALL
from nova_lite.db import hosts
from tests.functional.cloud import ADMIN, HOST, IMAGE_ID, MEMBER, Cloud

VERSIONS = [str(version) for version in ALL if version.major == 2]

Check = Callable[[Any], bool]
ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
NAIVE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}")
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def is_text(value: Any) -> bool:
    return isinstance(value, str)


def is_links(value: Any) -> bool:
    return [set(link) for link in value] == [{"rel", "href"}] * len(value) and len(value) > 0


def matches(pattern: re.Pattern[str]) -> Check:
    return lambda value: isinstance(value, str) and bool(pattern.fullmatch(value))


def equals(expected: Any) -> Check:
    return lambda value: value == expected and type(value) is type(expected)


def keys(*names: str) -> Check:
    return lambda value: isinstance(value, dict) and set(value) == set(names)


CORE: dict[str, Check] = {
    "accessIPv4": equals("192.0.2.7"),
    "accessIPv6": equals(""),
    "addresses": equals({}),
    "created": matches(ISO),
    "flavor": keys("id", "links"),
    "hostId": matches(re.compile(r"[0-9a-f]{56}")),
    "id": matches(UUID),
    "image": keys("id", "links"),
    "links": is_links,
    "metadata": equals({"role": "web"}),
    "name": equals("rich"),
    "progress": equals(0),
    "status": equals("ACTIVE"),
    "tenant_id": equals("p1"),
    "updated": matches(ISO),
    "user_id": equals("u1"),
    "OS-DCF:diskConfig": equals("AUTO"),
}
REST: dict[str, Check] = {
    "config_drive": equals("True"),
    "key_name": equals(None),
    "os-extended-volumes:volumes_attached": equals([]),
    "security_groups": equals([{"name": "default"}]),
    "OS-EXT-AZ:availability_zone": equals("nova"),
    "OS-EXT-STS:power_state": equals(1),
    "OS-EXT-STS:task_state": equals(None),
    "OS-EXT-STS:vm_state": equals("active"),
    "OS-SRV-USG:launched_at": matches(NAIVE),
    "OS-SRV-USG:terminated_at": equals(None),
}
OPERATORS: dict[str, Check] = {
    "OS-EXT-SRV-ATTR:host": equals(HOST),
    "OS-EXT-SRV-ATTR:hypervisor_hostname": equals(HOST),
    "OS-EXT-SRV-ATTR:instance_name": matches(re.compile("instance-[0-9a-f]{8}")),
}
OPERATORS_2_3: dict[str, Check] = {
    "OS-EXT-SRV-ATTR:hostname": equals("rich"),
    "OS-EXT-SRV-ATTR:kernel_id": equals(""),
    "OS-EXT-SRV-ATTR:launch_index": equals(0),
    "OS-EXT-SRV-ATTR:ramdisk_id": equals(""),
    "OS-EXT-SRV-ATTR:reservation_id": matches(re.compile("r-[a-z0-9]{8}")),
    "OS-EXT-SRV-ATTR:root_device_name": lambda value: value is None or is_text(value),
    "OS-EXT-SRV-ATTR:user_data": equals("I2Nsb3Vk"),
}
FLAVOR_2_47 = keys("vcpus", "ram", "disk", "ephemeral", "swap", "original_name", "extra_specs")

History = list[tuple[str, dict[str, Check], dict[str, Check]]]
# (version, what changes for everyone, what changes for administrators besides), oldest first.
SHOW: History = [
    ("2.1", CORE | REST, OPERATORS),
    ("2.3", {}, OPERATORS_2_3),
    ("2.9", {"locked": equals(False)}, {}),
    ("2.16", {}, {"host_status": equals("UP")}),
    ("2.19", {"description": equals("a server")}, {}),
    ("2.26", {"tags": equals(["blue", "red"])}, {}),
    ("2.47", {"flavor": FLAVOR_2_47}, {}),
    ("2.63", {"trusted_image_certificates": equals(None)}, {}),
    ("2.71", {"server_groups": equals([])}, {}),
    ("2.73", {"locked_reason": equals(None)}, {}),
    ("2.90", {"OS-EXT-SRV-ATTR:hostname": equals("rich")}, {}),
    ("2.96", {"pinned_availability_zone": equals("nova")}, {}),
    ("2.98", {"image": keys("id", "links", "properties")}, {}),
    ("2.100", {"scheduler_hints": equals({"build_near_host_ip": ["127.0.0.9"]})}, {}),
]
# Listings never show groups; updates show the rest only from 2.75 on.
DETAIL = [(version, {k: v for k, v in all_.items() if k != "server_groups"}, admin) for version, all_, admin in SHOW]
UPDATE = [
    ("2.1", CORE, {}),
    *[(v, a, {}) for v, a, _ in SHOW if v in ("2.9", "2.19", "2.26", "2.47", "2.63", "2.71", "2.73")],
    ("2.75", REST, OPERATORS | OPERATORS_2_3 | {"host_status": equals("UP")}),
    *[row for row in SHOW if row[0] in ("2.90", "2.96", "2.98", "2.100")],
]


def expected(history: History, version: str, admin: bool) -> dict[str, Check]:
    found: dict[str, Check] = {}
    for since, everyone, operators in history:
        if int(since[2:]) <= int(version[2:]):
            found |= (operators if admin else {}) | everyone
    return found


@pytest.fixture(scope="module")
def rich(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Cloud, str]]:
    """A server with a value in everything a server can have."""
    cloud = Cloud(Path(tmp_path_factory.mktemp("cloud")))
    body = {
        "server": {
            "name": "rich",
            "description": "a server",
            "imageRef": IMAGE_ID,
            "flavorRef": "42",
            "networks": "none",
            "accessIPv4": "192.0.2.7",
            "metadata": {"role": "web"},
            "tags": ["red", "blue"],
            "config_drive": True,
            "user_data": "I2Nsb3Vk",
            "availability_zone": "nova",
            "OS-DCF:diskConfig": "AUTO",
        },
        "os:scheduler_hints": {"build_near_host_ip": "127.0.0.9"},
    }
    created = cloud("POST", "/servers", "2.94", json=body)
    assert created.status_code == 202, created.text
    server_id = created.json["server"]["id"]
    launched = datetime(2026, 11, 21, 9, 40, 0, 250000, UTC)
    cloud.set_server(server_id, vm_state="active", task_state=None, power_state=1, launched_at=launched)
    yield cloud, server_id
    cloud.close()


def check(shown: dict[str, Any], wanted: dict[str, Check]) -> None:
    assert set(shown) == set(wanted)
    wrong = {name: shown[name] for name, is_right in wanted.items() if not is_right(shown[name])}
    assert not wrong


@pytest.mark.parametrize("token", [MEMBER, ADMIN])
@pytest.mark.parametrize("version", VERSIONS)
def test_show_has_exactly_the_keys_of_its_version(rich: tuple[Cloud, str], version: str, token: str) -> None:
    cloud, server_id = rich
    shown = cloud("GET", f"/servers/{server_id}", version, token)
    assert shown.status_code == 200
    check(shown.json["server"], expected(SHOW, version, token == ADMIN))


@pytest.mark.parametrize("token", [MEMBER, ADMIN])
@pytest.mark.parametrize("version", VERSIONS)
def test_detail_has_exactly_the_keys_of_its_version(rich: tuple[Cloud, str], version: str, token: str) -> None:
    cloud, _ = rich
    query = "?all_tenants=1" if token == ADMIN else ""
    listed = cloud("GET", f"/servers/detail{query}", version, token)
    assert listed.status_code == 200
    assert list(listed.json) == ["servers"]
    check(listed.json["servers"][0], expected(DETAIL, version, token == ADMIN))


@pytest.mark.parametrize("token", [MEMBER, ADMIN])
@pytest.mark.parametrize("version", VERSIONS)
def test_update_answers_with_exactly_the_keys_of_its_version(
    rich: tuple[Cloud, str], version: str, token: str
) -> None:
    cloud, server_id = rich
    updated = cloud("PUT", f"/servers/{server_id}", version, token, json={"server": {"name": "rich"}})
    assert updated.status_code == 200
    check(updated.json["server"], expected(UPDATE, version, token == ADMIN))


def test_the_index_shows_id_links_and_name_at_every_version(rich: tuple[Cloud, str]) -> None:
    cloud, server_id = rich
    for version in ("2.1", "2.38", "2.69", "2.104"):
        listed = cloud("GET", "/servers", version)
        (server,) = listed.json["servers"]
        assert set(server) == {"id", "links", "name"}
        assert server["id"] == server_id


def test_links_carry_the_version_and_bookmarks_do_not(rich: tuple[Cloud, str]) -> None:
    cloud, server_id = rich
    for version, prefix in (("2.1", "/v2.1"), ("3.0", "/v3")):
        links = cloud("GET", f"/servers/{server_id}", version).json["server"]["links"]
        assert [link["rel"] for link in links] == ["self", "bookmark"]
        assert links[0]["href"].endswith(f"{prefix}/servers/{server_id}")
        assert "/v" not in links[1]["href"].split("//")[1]


def test_links_have_the_project_where_the_request_had_it(rich: tuple[Cloud, str]) -> None:
    cloud, server_id = rich
    project = "0123456789abcdef"
    other = cloud.add_server("elsewhere", project_id=project)
    shown = cloud("GET", f"/{project}/servers/{other}", "2.1", f"u1:{project}")
    assert shown.json["server"]["links"][0]["href"].endswith(f"/v2.1/{project}/servers/{other}")
    assert shown.json["server"]["links"][1]["href"].endswith(f"/{project}/servers/{other}")


V3_KEYS = {
    *("access_ip_v4", "access_ip_v6", "addresses", "availability_zone", "config_drive", "created_at", "description"),
    *("disk_config", "flavor", "host_id", "hostname", "id", "image", "key_name", "launched_at", "links", "locked"),
    *("locked_reason", "metadata", "name", "pinned_availability_zone", "power_state", "progress", "project_id"),
    *("scheduler_hints", "security_groups", "server_groups", "status", "tags", "task_state", "terminated_at"),
    *("trusted_image_certificates", "updated_at", "user_id", "vm_state", "volumes_attached"),
}
V3_OPERATOR_KEYS = {
    *("host", "host_status", "hypervisor_hostname", "instance_name", "kernel_id", "launch_index", "ramdisk_id"),
    *("reservation_id", "root_device_name", "user_data"),
}


def test_3_0_shows_plain_names_real_types_and_times_with_a_zone(rich: tuple[Cloud, str]) -> None:
    cloud, server_id = rich
    server = cloud("GET", f"/servers/{server_id}", "3.0").json["server"]
    assert set(server) == V3_KEYS
    assert all(re.fullmatch("[a-z0-9_]+", name) for name in server)
    assert server["config_drive"] is True
    assert server["access_ip_v6"] is None
    assert server["power_state"] == "running"
    assert server["launched_at"] == "2026-11-21T09:40:00Z"
    assert set(server["flavor"]) == {
        *("id", "links", "name", "vcpus", "ram", "disk", "ephemeral", "swap", "extra_specs"),
    }
    assert server["image"]["properties"]["os_distro"] == "none"
    assert set(cloud("GET", f"/servers/{server_id}", "3.0", ADMIN).json["server"]) == V3_KEYS | V3_OPERATOR_KEYS
    listed = cloud("GET", "/servers/detail", "3.0").json["servers"][0]
    assert set(listed) == V3_KEYS - {"server_groups"}


@pytest.mark.parametrize(
    ("vm_state", "task_state", "status"),
    [
        ("building", "scheduling", "BUILD"),
        ("building", "spawning", "BUILD"),
        ("active", None, "ACTIVE"),
        ("active", "reboot_started", "REBOOT"),
        ("active", "rebooting_hard", "HARD_REBOOT"),
        ("active", "powering-off", "ACTIVE"),
        ("stopped", None, "SHUTOFF"),
        ("stopped", "powering-on", "SHUTOFF"),
        ("paused", None, "PAUSED"),
        ("error", None, "ERROR"),
        ("error", "deleting", "ERROR"),
        ("mystery", None, "UNKNOWN"),
    ],
)
def test_status_is_made_of_vm_state_and_task_state(
    cloud: Cloud, vm_state: str, task_state: str | None, status: str
) -> None:
    server_id = cloud.add_server("s")
    cloud.set_server(server_id, vm_state=vm_state, task_state=task_state)
    shown = cloud("GET", f"/servers/{server_id}").json["server"]
    assert shown["status"] == status
    assert ("progress" in shown) == (status in ("BUILD", "ACTIVE"))


def test_a_fault_is_shown_in_error_and_its_trace_to_administrators_only(cloud: Cloud) -> None:
    server_id = cloud.add_server("s")
    fault = {
        "fault_code": 500,
        "fault_message": "The kernel is empty.",
        "fault_details": "Traceback …",
        "fault_created": datetime(2026, 11, 21, 9, 41, tzinfo=UTC),
    }
    cloud.set_server(server_id, vm_state="error", task_state=None, **fault)
    shown = cloud("GET", f"/servers/{server_id}").json["server"]["fault"]
    assert shown == {"code": 500, "message": "The kernel is empty.", "created": "2026-11-21T09:41:00Z"}
    assert cloud("GET", f"/servers/{server_id}", token=ADMIN).json["server"]["fault"]["details"] == "Traceback …"
    v3 = cloud("GET", f"/servers/{server_id}", "3.0").json["server"]["fault"]
    assert v3 == {"code": 500, "message": "The kernel is empty.", "created_at": "2026-11-21T09:41:00Z"}
    cloud.set_server(server_id, vm_state="active")
    assert "fault" not in cloud("GET", f"/servers/{server_id}").json["server"]


def test_host_status_may_be_opened_for_unknown_only(tmp_path: Path) -> None:
    rule = "os_compute_api:servers:show:host_status:unknown-only"
    (tmp_path / "policy.yaml").write_text(f'"{rule}": "rule:project_reader_or_admin"\n')
    cloud = Cloud(tmp_path)
    server_id = cloud.add_server("s")
    assert "host_status" not in cloud("GET", f"/servers/{server_id}", "2.16").json["server"]
    with cloud.compute.database.write() as connection:
        (service,) = hosts.list_services(connection, "nova", 60)
        hosts.update_service(connection, service.id, {"last_seen_up": datetime(2020, 1, 1, tzinfo=UTC)})
    assert cloud("GET", f"/servers/{server_id}", "2.16").json["server"]["host_status"] == "UNKNOWN"
    assert cloud("GET", "/servers/detail", "2.16").json["servers"][0]["host_status"] == "UNKNOWN"
    cloud.close()


@pytest.mark.parametrize(
    ("values", "status"),
    [({"disabled": True}, "MAINTENANCE"), ({"forced_down": True}, "DOWN"), ({"disabled": False}, "UP")],
)
def test_host_status_follows_the_service(cloud: Cloud, values: dict[str, bool], status: str) -> None:
    server_id = cloud.add_server("s")
    with cloud.compute.database.write() as connection:
        (service,) = hosts.list_services(connection, "nova", 60)
        hosts.update_service(connection, service.id, values)
    assert cloud("GET", f"/servers/{server_id}", "2.16", ADMIN).json["server"]["host_status"] == status


def test_a_stranger_gets_404_and_a_caller_without_a_role_403(cloud: Cloud) -> None:
    server_id = cloud.add_server("s")
    stranger = cloud("GET", f"/servers/{server_id}", token="u9:p9")
    assert stranger.status_code == 404
    assert stranger.json["itemNotFound"]["message"] == f"Instance {server_id} could not be found."
    assert cloud("GET", f"/servers/{server_id}", token="u3:p1:").status_code == 403
    assert cloud("GET", f"/servers/{server_id}", token="u2:p1:reader").status_code == 200
    assert cloud("GET", f"/servers/{server_id}", token=ADMIN).status_code == 200


def test_show_refuses_unknown_query_keys_from_2_102_on(cloud: Cloud) -> None:
    server_id = cloud.add_server("s")
    assert cloud("GET", f"/servers/{server_id}?colour=red", "2.101").status_code == 200
    refused = cloud("GET", f"/servers/{server_id}?colour=red", "2.102")
    assert refused.status_code == 400
    assert "colour" in refused.json["badRequest"]["message"]
