"""VMs outlive the service that started them; commands reach them without it; the demo works and leaves nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from demo.client import Client
from tests.kvm.vmm_process import needs_kvm
from tests.serving import PATIENCE, Serving, nova_lite

pytestmark = needs_kvm

ROOT = Path(__file__).parents[2]


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "s"
    nova_lite(tmp_path / "s", "vm", "stop", "--all", "--force")


def create(client: Client, name: str) -> str:
    """A running server of the counting image; returns its id."""
    images = client.call("GET", "/v3/images", version="3.0", caller="member").received["images"]
    image = next(found["id"] for found in images if found["name"] == "counting")
    body = {"server": {"name": name, "imageRef": image, "flavorRef": "40", "networks": "none"}}
    created = client.call("POST", "/v2.1/servers", body, version="2.96", caller="member")
    assert created.status == 202, created.received
    server_id = str(created.received["server"]["id"])
    assert wait_for(client, server_id, "ACTIVE")
    return server_id


def wait_for(client: Client, server_id: str, status: str) -> bool:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        server = client.call("GET", f"/v2.1/servers/{server_id}", version="2.96", caller="member").received["server"]
        if server["status"] in (status, "ERROR"):
            return bool(server["status"] == status)
        time.sleep(0.01)
    return False


def listed(state: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(nova_lite(state, "vm", "list", "--json").stdout)
    return rows


def test_a_vm_outlives_the_service_and_is_found_again(state: Path) -> None:
    with Serving(state) as serving:
        server_id = create(serving.client(), "survivor")
        (before,) = listed(state)
        assert (before["uuid"], before["name"], before["state"]) == (server_id, "survivor", "Running")
        serving.stop()
        assert "1 VM runs." in serving.output()
        assert "`nova-lite vm stop --all` ends them" in serving.output()
    assert listed(state) == [before]
    with Serving(state) as again:
        assert "1 VM runs)" in again.output()
        client = again.client()
        assert wait_for(client, server_id, "ACTIVE")
        assert listed(state) == [before]  # the same process
        deleted = client.call("DELETE", f"/v2.1/servers/{server_id}", version="2.96", caller="member")
        assert deleted.status == 204
        deadline = time.monotonic() + PATIENCE
        while listed(state) and time.monotonic() < deadline:
            pass
        assert listed(state) == []
    assert not Path(f"/proc/{before['pid']}").exists()


def test_commands_reach_a_vm_with_and_without_the_service(state: Path) -> None:
    with Serving(state) as serving:
        server_id = create(serving.client(), "alone")
        refused = nova_lite(state, "vm", "stop", "alone")
        assert refused.returncode == 1
        assert "The agent runs and watches over these VMs" in refused.stderr
    assert nova_lite(state, "vm", "console", "alone", "-n", "2").stdout.startswith("out port: 16, data: ")
    info = json.loads(nova_lite(state, "vm", "info", server_id[:8]).stdout)
    assert (info["state"], info["config"]["cpus"]["boot_vcpus"]) == ("Running", 1)
    stopped = nova_lite(state, "vm", "stop", "alone")
    assert stopped.stdout == f"Stopped {server_id} (process {info['pid']}).\n"
    assert listed(state)[0]["state"] == "Off"
    assert nova_lite(state, "vm", "console", "alone", "-n", "1").stdout.startswith("out port: 16")
    assert "does not run" in nova_lite(state, "vm", "stop", "alone").stdout


@pytest.mark.timeout(300)
def test_the_demo_shows_the_main_job_and_leaves_nothing() -> None:
    with tempfile.TemporaryDirectory() as folder:  # tmp_path may be too long for the sockets below it
        environment = {**os.environ, "TMPDIR": folder}
        environment.pop("KEEP", None)
        done = subprocess.run(
            [sys.executable, "-m", "demo"], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
        )
        left = os.listdir(folder)
    assert done.returncode == 0, done.stdout + done.stderr
    for promise in ("out port: 16, data: ", "403 Forbidden", "microversion 2.52", "404 Not Found", "are gone again"):
        assert promise in done.stdout
    assert left == []
