"""What a user hears through the Compute API of a guest that hangs, or finds no root disk."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from demo.client import Client
from tests.kvm.test_vmm_guest_ends import LAST_LINE, PRINT, program
from tests.kvm.vmm_process import needs_kvm, wait_for
from tests.serving import Serving, nova_lite

pytestmark = needs_kvm

HANGING = PRINT.replace(LAST_LINE, "[    0.1] Waiting for root device /dev/vda1...")


@pytest.fixture(scope="module", name="serving")
def _serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    folder = tmp_path_factory.mktemp("trouble")
    with Serving(folder / "s") as serving:
        yield serving
    nova_lite(folder / "s", "vm", "stop", "--all", "--force")


@pytest.fixture(scope="module", name="client")
def _client(serving: Serving) -> Client:
    return serving.client()


def start(serving: Serving, client: Client, name: str, guest: bytes) -> str:
    """A server of this guest; its id."""
    kernel = serving.state.parent / name
    kernel.write_bytes(guest)
    added = nova_lite(serving.state, "image", "add", name, "--kernel", str(kernel), "--format", "elf64")
    assert added.returncode == 0, added.stderr
    body = {"server": {"name": name, "imageRef": added.stdout.split()[-1], "flavorRef": "40", "networks": "none"}}
    created = client.call("POST", "/v2.1/servers", body, version="2.96", caller="member")
    assert created.status == 202, created.received
    return str(created.received["server"]["id"])


def show(client: Client, server_id: str) -> dict[str, Any]:
    answer = client.call("GET", f"/v2.1/servers/{server_id}", version="2.96", caller="member")
    found: dict[str, Any] = answer.received["server"]
    return found


def console(client: Client, server_id: str) -> str:
    body = {"os-getConsoleOutput": {"length": 10}}
    answer = client.call("POST", f"/v2.1/servers/{server_id}/action", body, version="2.96", caller="member")
    return str(answer.received.get("output", ""))  # refused until it is built


@pytest.mark.parametrize(
    ("ending", "spins"), [("cli\n0: hlt\njmp 0b", False), ("0: jmp 0b", True)], ids=["halts", "spins"]
)
def test_a_guest_that_hangs_shows_how_far_it_came_and_whether_it_spins(serving, client, ending, spins):
    """To the API it runs, for nothing says that it does not; the console and the counters tell the rest."""
    server_id = start(serving, client, f"hanging-{spins}", program(f"{HANGING} {ending}"))
    wait_for(lambda: "Waiting for root device" in console(client, server_id), "the guest's last words")
    wait_for(lambda: show(client, server_id)["status"] == "ACTIVE", "the server's state")  # the guest may be quicker

    def processor() -> int:
        info = json.loads(nova_lite(serving.state, "vm", "info", server_id).stdout)
        return int(info["counters"]["vcpu0"]["cpu_ns"])

    before = processor()
    if spins:
        wait_for(lambda: processor() > before + 100_000_000, "a tenth of a second of processor time")
    else:
        assert processor() - before < 100_000_000
    # Nothing is stuck: it can be restarted and deleted like any other.
    rebooted = client.call(
        "POST", f"/v2.1/servers/{server_id}/action", {"reboot": {"type": "HARD"}}, version="2.96", caller="member"
    )
    assert rebooted.status == 202
    wait_for(lambda: console(client, server_id).count("Waiting for root") == 2, "the second boot's last words")
    assert client.call("DELETE", f"/v2.1/servers/{server_id}", version="2.96", caller="member").status == 204


def test_a_missing_root_disk_is_the_servers_fault_in_the_kernels_words(serving, client):
    server_id = start(serving, client, "rootless", program(f"{PRINT} cli\n0: jmp 0b"))
    wait_for(lambda: show(client, server_id)["status"] == "ERROR", "ERROR")
    fault = show(client, server_id)["fault"]["message"]
    assert "VFS: Unable to mount root fs" in fault
    assert LAST_LINE in console(client, server_id), "what it says after the end"
