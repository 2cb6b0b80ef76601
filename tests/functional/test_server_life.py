"""A server's whole life over HTTP with an agent at work; its VM is a file, everything else is real."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nova_lite.compute.agent import Agent
from tests.functional.cloud import ADMIN, IMAGE_ID, Cloud
from tests.functional.disk_driver import DiskDriver
from tests.unit.computing import eventually

BAD_IMAGE_ID = "0b1f3d2e-8a55-4d8c-9c34-0d6a1f0a7c33"


@pytest.fixture
def living(tmp_path: Path) -> Iterator[Cloud]:
    cloud = Cloud(tmp_path)
    kernel = tmp_path / "bad.bin"
    kernel.write_bytes(b"bad")
    cloud.images.add("bad", kernel, "flat16", image_id=BAD_IMAGE_ID)
    agent = Agent(cloud.compute.conf, DiskDriver(tmp_path / "machines"))
    agent.start()
    yield cloud
    agent.stop()
    cloud.close()


def create(cloud: Cloud, image_id: str = IMAGE_ID) -> Any:
    server = {"name": "s", "image_ref": image_id, "flavor_ref": "42", "networks": "none"}
    created = cloud("POST", "/servers", "3.0", json={"server": server})
    assert created.status_code == 202, created.text
    return created


def ended(cloud: Cloud, answer: Any) -> dict[str, Any]:
    """The operation that an answer of 3.x names, once it is done or failed."""
    assert answer.status_code == 202, answer.text
    path = answer.headers["location"].partition("/v3")[2]

    def end() -> dict[str, Any] | None:
        operation = cloud("GET", path, "3.0").json["operation"]
        return operation if operation["state"] in ("done", "failed") else None

    return eventually(end, "the operation has ended")


def act(cloud: Cloud, server_id: str, action: str, value: Any = None) -> dict[str, Any]:
    return ended(cloud, cloud("POST", f"/servers/{server_id}/action", "3.0", json={action: value}))


def test_a_server_lives_and_its_operations_tell(living: Cloud) -> None:
    created = create(living)
    server_id = created.json["server"]["id"]
    assert ended(living, created)["state"] == "done"

    def status() -> str:
        return living("GET", f"/servers/{server_id}").json["server"]["status"]

    assert status() == "ACTIVE"
    for action, value, becomes in (
        ("pause", None, "PAUSED"),
        ("unpause", None, "ACTIVE"),
        ("suspend", None, "SUSPENDED"),
        ("resume", None, "ACTIVE"),
        ("reboot", {"type": "soft"}, "ACTIVE"),
        ("stop", None, "SHUTOFF"),
        ("start", None, "ACTIVE"),
        ("reboot", {"type": "hard"}, "ACTIVE"),
    ):
        operation = act(living, server_id, action, value)
        assert (operation["state"], operation["message"]) == ("done", None)
        assert status() == becomes
    shown = living("GET", f"/servers/{server_id}", "3.0").json["server"]
    assert shown["power_state"] == "running"
    assert shown["launched_at"] is not None
    actions = living("GET", f"/servers/{server_id}/os-instance-actions", "2.58").json["instanceActions"]
    assert [action["action"] for action in actions] == [
        *("reboot", "start", "stop", "reboot", "resume", "suspend", "unpause", "pause", "create"),
    ]
    assert ended(living, living("DELETE", f"/servers/{server_id}", "3.0"))["state"] == "done"
    assert living("GET", f"/servers/{server_id}").status_code == 404
    assert living("GET", f"/servers/{server_id}/os-instance-actions", "2.21").status_code == 200


def test_the_console_in_both_majors(living: Cloud) -> None:
    created = create(living)
    server_id = created.json["server"]["id"]
    ended(living, created)
    act(living, server_id, "reboot", {"type": "soft"})
    path = f"/servers/{server_id}/action"
    for name, version, params, output in (
        ("os-getConsoleOutput", "2.1", {}, "boot 1\nboot 2\n"),
        ("os-getConsoleOutput", "2.1", {"length": -1}, "boot 1\nboot 2\n"),
        ("os-getConsoleOutput", "2.1", {"length": "2"}, "boot 2\n"),
        ("os-getConsoleOutput", "2.1", {"length": "1"}, ""),  # as Nova counts: behind the last newline
        ("os-getConsoleOutput", "2.104", {"length": None}, "boot 1\nboot 2\n"),
        ("get_console_output", "3.0", {"length": 2}, "boot 2\n"),
        ("get_console_output", "3.0", None, "boot 1\nboot 2\n"),
        ("get_console_output", "3.0", {"length": 0}, ""),
    ):
        answer = living("POST", path, version, json={name: params})
        assert (answer.status_code, answer.json) == (200, {"output": output})


def test_a_bad_kernel_becomes_a_fault_that_a_user_understands(living: Cloud) -> None:
    created = create(living, BAD_IMAGE_ID)
    server_id = created.json["server"]["id"]
    operation = ended(living, created)
    assert operation["state"] == "failed"
    server = living("GET", f"/servers/{server_id}", "2.104").json["server"]
    assert server["status"] == "ERROR"
    assert "bad.bin" in server["fault"]["message"]
    request_id = created.headers["x-openstack-request-id"]
    action = living("GET", f"/servers/{server_id}/os-instance-actions/{request_id}", "2.84", ADMIN)
    assert "Error" in [event["result"] for event in action.json["instanceAction"]["events"]]
    assert ended(living, living("DELETE", f"/servers/{server_id}", "3.0"))["state"] == "done"
