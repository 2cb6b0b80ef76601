"""Diagnostics in every form, the interrupt for a crash dump, and the password that nobody in the guest can set."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import falcon.testing
import pytest

from nova_lite import objects
from nova_lite.api import app
from tests.functional.cloud import ADMIN, READER
from tests.unit.computing import Computing, eventually


class Serving(Computing):
    """With the API in front of it, and an agent."""

    def __init__(self, state: Path) -> None:
        super().__init__(state, None)
        self.conf.set_override("auth_strategy", "noauth2", group="api")
        self.client = falcon.testing.TestClient(app.build(self.conf, self.api))
        self.start_agent()

    def __call__(self, method: str, path: str, version: str, token: str = ADMIN, json: Any = None) -> Any:
        headers = {"X-Auth-Token": token, "OpenStack-API-Version": f"compute {version}"}
        prefix = "/v3" if version.startswith("3") else "/v2.1"
        return self.client.simulate_request(method, prefix + path, headers=headers, json=json)


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    made = Serving(tmp_path_factory.mktemp("serving"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def server(serving: Serving) -> objects.Instance:
    return serving.running(flavor_ref="40")


def test_old_diagnostics_are_a_plain_dictionary(serving: Serving, server: objects.Instance) -> None:
    for version in ("2.1", "2.47"):
        answer = serving("GET", f"/servers/{server.uuid}/diagnostics", version)
        assert answer.json == {"cpu0_time": 0, "memory": 16384, "memory-actual": 16384}


@pytest.mark.parametrize(("version", "driver"), [("2.48", "libvirt"), ("2.104", "libvirt"), ("3.0", "kvm")])
def test_new_diagnostics_have_one_form(serving: Serving, server: objects.Instance, version: str, driver: str) -> None:
    assert serving("GET", f"/servers/{server.uuid}/diagnostics", version).json == {
        "state": "running", "driver": driver, "hypervisor": "kvm", "hypervisor_os": "linux", "uptime": None,
        "config_drive": False, "num_cpus": 1, "num_nics": 0, "num_disks": 0,
        "cpu_details": [{"id": 0, "time": 0, "utilisation": None}], "disk_details": [], "nic_details": [],
        "memory_details": {"maximum": 16, "used": None},
    }  # fmt: skip


def test_only_administrators_see_diagnostics_of_what_runs(serving: Serving) -> None:
    other = serving.running()
    path = f"/servers/{other.uuid}/diagnostics"
    assert serving("GET", path, "2.48", "u1:p1").status_code == 403
    serving.api.pause(serving.me, other)
    serving.settled(other, "paused")
    refused = serving("GET", path, "2.48")
    assert refused.status_code == 409
    assert f"Cannot 'get_diagnostics' instance {other.uuid} while it is in power state paused" in refused.text
    serving.set_row(other, host="")
    assert "is not ready" in serving("GET", path, "2.1").text


def test_a_crash_dump_is_an_interrupt_for_the_guest(serving: Serving, server: objects.Instance) -> None:
    path, body = f"/servers/{server.uuid}/action", {"trigger_crash_dump": None}
    assert serving("POST", path, "2.16", json=body).status_code == 404
    assert serving("POST", path, "2.17", READER, json=body).status_code == 403
    assert serving("POST", path, "2.17", json={"trigger_crash_dump": {}}).status_code == 400
    for version in ("2.17", "3.0"):
        assert serving("POST", path, version, "u1:p1", json=body).status_code == 202
    eventually(lambda: serving.driver.calls.count(("send_nmi", server.uuid)) == 2, "both are sent")
    assert serving.settled(server, "active").task_state is None
    off = serving.running()
    serving.api.stop(serving.me, off)
    serving.settled(off, "stopped")
    refused = serving("POST", f"/servers/{off.uuid}/action", "2.17", json=body)
    assert f"Cannot 'trigger_crash_dump' instance {off.uuid} while it is in vm_state stopped" in refused.text


def test_nobody_in_the_guest_sets_a_password(serving: Serving, server: objects.Instance) -> None:
    path, body = f"/servers/{server.uuid}/action", {"changePassword": {"adminPass": "secret"}}
    assert serving("POST", path, "2.1", READER, json=body).status_code == 403
    assert serving("POST", path, "2.1", json={"changePassword": {"adminPass": 1}}).status_code == 400
    refused = serving("POST", path, "2.1", "u1:p1", json=body)
    assert refused.status_code == 409 and "QEMU guest agent is not enabled" in refused.text
    assert serving.operations(server)[-1].action == "changePassword"
    serving.set_row(server, image_properties={"hw_qemu_guest_agent": "yes"})
    refused = serving("POST", path, "3.0", "u1:p1", json={"change_password": {"admin_password": "secret"}})
    assert refused.status_code == 409
    assert f"Failed to set admin password on {server.uuid} because error setting admin password" in refused.text
    assert "secret" not in refused.text
