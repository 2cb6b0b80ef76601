"""What is noted about a server: metadata, tags, the guest's password, a state that was reset; and what is gone."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from nova_lite.api import removed
from tests.functional.cloud import ADMIN, READER, Cloud

AT = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def server(cloud: Cloud) -> str:
    made = cloud.add_server("noted")
    cloud.set_server(made, vm_state="active", task_state=None, power_state=1, launched_at=AT)
    return made


@pytest.mark.parametrize("version", ["2.1", "2.104", "3.0"])
def test_metadata_is_added_replaced_and_removed(cloud: Cloud, server: str, version: str) -> None:
    path, item = f"/servers/{server}/metadata", "metadata" if version == "3.0" else "meta"
    both = {"metadata": {"a": "1", "b": "2"}}
    assert cloud("POST", path, version, json=both).json == both
    assert cloud("POST", path, version, json={"metadata": {"b": "3"}}).json == {"metadata": {"a": "1", "b": "3"}}
    assert cloud("PUT", f"{path}/c", version, json={item: {"c": "4"}}).json == {item: {"c": "4"}}
    assert cloud("GET", f"{path}/b", version).json == {item: {"b": "3"}}
    assert cloud("DELETE", f"{path}/a", version).status_code == 204
    assert cloud("GET", path, version).json == {"metadata": {"b": "3", "c": "4"}}
    assert cloud("PUT", path, version, json={"metadata": {"z": ""}}).json == {"metadata": {"z": ""}}
    for method in ("GET", "DELETE"):
        assert "Metadata item was not found" in cloud(method, f"{path}/a", version).text
    mismatch = cloud("PUT", f"{path}/a", version, json={item: {"b": "1"}})
    assert mismatch.status_code == 400 and "Request body and URI mismatch" in mismatch.text
    for wrong in ({}, {"a": "1", "b": "2"}, {"a": 1}, {"a/": "x"}, {"a": "x" * 256}):
        assert cloud("PUT", f"{path}/a", version, json={item: wrong}).status_code == 400


def test_metadata_has_limits_of_number_state_lock_and_role(cloud: Cloud, server: str) -> None:
    path, one = f"/servers/{server}/metadata", {"metadata": {"a": "1"}}
    many = cloud("POST", path, "2.1", json={"metadata": {str(n): "x" for n in range(129)}})
    assert many.status_code == 403 and "Maximum number of metadata items exceeds 128" in many.text
    assert cloud("POST", path, "2.1", token=READER, json=one).status_code == 403
    assert cloud("GET", path, "2.1", token="u9:p9").status_code == 404
    cloud.set_server(server, task_state="powering-off")
    assert cloud("POST", path, "2.1", json=one).status_code == 200
    cloud.set_server(server, vm_state="error")
    refused = cloud("PUT", path, "2.1", json=one)
    assert f"Cannot 'update metadata' instance {server} while it is in vm_state error" in refused.text
    assert "Cannot 'delete metadata'" in cloud("DELETE", f"{path}/a", "2.1").text
    cloud.set_server(server, vm_state="active", locked=True, locked_by="owner")
    assert cloud("POST", path, "2.1", json=one).status_code == 409
    assert cloud("POST", path, "2.1", token=ADMIN, json=one).status_code == 200


@pytest.mark.parametrize("version", ["2.26", "2.104", "3.0"])
def test_tags_come_and_go(cloud: Cloud, server: str, version: str) -> None:
    path = f"/servers/{server}/tags"
    added = cloud("PUT", f"{path}/blue", version)
    assert added.status_code == 201 and added.headers["location"].endswith(f"{path}/blue")
    again = cloud("PUT", f"{path}/blue", version)
    assert again.status_code == 204 and "location" not in again.headers
    assert cloud("GET", f"{path}/blue", version).status_code == 204
    absent = cloud("GET", f"{path}/red", version)
    assert absent.status_code == 404 and f"Server {server} has no tag 'red'" in absent.text
    assert cloud("PUT", path, version, json={"tags": ["b", "a", "b"]}).json == {"tags": ["a", "b"]}
    assert cloud("DELETE", f"{path}/a", version).status_code == 204
    assert cloud("DELETE", f"{path}/a", version).status_code == 404
    assert cloud("GET", path, version).json == {"tags": ["b"]}
    assert cloud("DELETE", path, version).status_code == 204
    assert cloud("GET", path, version).json == {"tags": []}


def test_tags_are_checked(cloud: Cloud, server: str) -> None:
    path = f"/servers/{server}/tags"
    assert cloud("GET", path, "2.25").status_code == 404
    for wrong in ("a,b", "x" * 61):
        assert cloud("PUT", f"{path}/{wrong}", "2.26").status_code == 400
        assert cloud("PUT", path, "2.26", json={"tags": [wrong]}).status_code == 400
    assert cloud("PUT", path, "2.26", json={"tags": [str(n) for n in range(50)]}).status_code == 200
    full = cloud("PUT", f"{path}/more", "2.26")
    assert full.status_code == 400 and "The number of tags exceeded the per-server limit 50" in full.text
    cloud.set_server(server, locked=True, locked_by="admin")
    assert cloud("DELETE", path, "2.26").status_code == 204  # a lock does not matter
    cloud.set_server(server, vm_state="building")
    refused = cloud("PUT", f"{path}/a", "2.26")
    assert f"Cannot 'update tag' instance {server} while it is in vm_state building" in refused.text


def test_the_guests_password_is_shown_and_forgotten(cloud: Cloud, server: str) -> None:
    path = f"/servers/{server}/os-server-password"
    assert cloud("GET", path, "2.1").json == {"password": ""}
    cloud.set_server(server, system_metadata={"password": "c2VjcmV0", "shelved_image_id": "x"})
    assert cloud("GET", path, "2.104", token=READER).json == {"password": "c2VjcmV0"}
    assert cloud("DELETE", path, "2.1", token=READER).status_code == 403
    assert cloud("DELETE", path, "2.1").status_code == 204
    assert cloud("GET", f"/servers/{server}/password", "3.0").json == {"password": ""}
    found = cloud.compute.get_instance_any(_root(), server)
    assert found.system_metadata == {"shelved_image_id": "x"}


def _root():
    from tests.unit.computing import caller

    return caller(is_admin=True)


def test_a_server_has_no_numa_topology(cloud: Cloud, server: str) -> None:
    path = f"/servers/{server}/topology"
    assert cloud("GET", path, "2.77").status_code == 404
    for version in ("2.78", "3.0"):
        assert cloud("GET", path, version).json == {"nodes": [], "pagesize_kb": None}


def test_an_administrator_resets_a_state(cloud: Cloud, server: str) -> None:
    path = f"/servers/{server}/action"
    cloud.set_server(server, vm_state="error", task_state="powering-off")
    assert cloud("POST", path, "2.1", json={"os-resetState": {"state": "active"}}).status_code == 403
    assert cloud("POST", path, "2.1", ADMIN, json={"os-resetState": {"state": "stopped"}}).status_code == 400
    assert cloud("POST", path, "2.1", ADMIN, json={"os-resetState": {"state": "active"}}).status_code == 202
    shown = cloud("GET", f"/servers/{server}", "2.1").json["server"]
    assert (shown["status"], shown["OS-EXT-STS:task_state"]) == ("ACTIVE", None)
    assert cloud("POST", path, "3.0", ADMIN, json={"reset_state": {"state": "error"}}).status_code == 204
    assert cloud("GET", f"/servers/{server}", "2.1").json["server"]["status"] == "ERROR"
    newest = cloud("GET", f"/servers/{server}/os-instance-actions", "2.1").json["instanceActions"][0]
    assert newest["action"] == "resetState"


def test_network_information_is_injected_nowhere(cloud: Cloud, server: str) -> None:
    path, body = f"/servers/{server}/action", {"injectNetworkInfo": None}
    assert cloud("POST", path, "2.1", json=body).status_code == 403
    assert cloud("POST", path, "2.104", ADMIN, json=body).status_code == 202


def test_servers_have_another_name_until_2_102(cloud: Cloud, server: str) -> None:
    (listed,) = cloud("GET", "/os-volumes_boot", "2.1").json["servers"]
    assert listed["id"] == server
    assert cloud("GET", "/os-volumes_boot/detail", "2.102").json["servers"][0]["id"] == server
    assert cloud("GET", f"/os-volumes_boot/{server}", "2.1").json["server"]["name"] == "noted"
    assert cloud("POST", f"/os-volumes_boot/{server}/action", "2.1", json={"lock": None}).status_code == 202
    assert cloud("POST", "/os-volumes_boot", "2.1", json={"server": {}}).status_code == 400
    for version in ("2.103", "3.0"):
        assert cloud("GET", "/os-volumes_boot", version).status_code == 404
    assert cloud("GET", "/os-volumes_boot", "2.1", token=None).status_code == 401


def test_what_nova_removed_is_gone(cloud: Cloud, server: str) -> None:
    for path, methods in removed.PATHS.items():
        filled = path.replace("{server_id}", server).replace("{id}", "1").replace("{entry_id}", "1")
        for method in sorted(methods):
            for version in ("2.1", "2.104"):
                answer = cloud(method, filled, version)
                assert answer.status_code == 410, (method, path)
                assert answer.json["computeFault"]["code"] == 410
            assert cloud(method, filled, "2.1", token=None).status_code == 401
            assert cloud(method, filled, "3.0").status_code == 404
    assert cloud("DELETE", "/os-agents", "2.1").status_code == 404
    assert cloud("POST", f"/servers/{server}/action", "2.1", json={"resetNetwork": None}).status_code == 410
