"""vm.snapshot and vm.restore: a machine goes on in another process where it stood, and its guest does not notice."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.kvm import disk_guest
from tests.kvm.vmm_process import INTERACTIVE, MIB, SerialClient, Vmm, config, needs_kvm, wait_for

pytestmark = needs_kvm


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "saved"


def save(vmm: Vmm, folder: Path) -> None:
    """Pause, save, and end the process."""
    vmm.put("vm.pause")
    vmm.put("vm.snapshot", {"destination_url": f"file://{folder}"})
    assert vmm.end() == 0


@pytest.fixture
def restored(tmp_path: Path) -> Iterator[Vmm]:
    with Vmm(tmp_path / "other.sock") as vmm:
        yield vmm


def restore(vmm: Vmm, folder: Path) -> None:
    vmm.put("vm.restore", {"source_url": f"file://{folder}"})


def talking(tmp_path: Path, **more: object) -> dict[str, Any]:
    return config(INTERACTIVE, serial={"mode": "Socket", "socket": str(tmp_path / "com1")}, **more)


@pytest.mark.parametrize("vcpus", [1, 3])
def test_a_conversation_goes_on_in_another_process(tmp_path: Path, folder: Path, restored: Vmm, vcpus: int) -> None:
    with Vmm(tmp_path / "vmm.sock") as vmm:
        cpus = {"boot_vcpus": vcpus, "max_vcpus": vcpus}
        vmm.put("vm.create", talking(tmp_path, cpus=cpus, memory={"size": 64 * MIB}))
        vmm.put("vm.boot")
        line = SerialClient(tmp_path / "com1", vmm)
        line.read_until("\r\n> ")
        line.type("hello\r")
        line.read_until("you said: hello\r\n> ")
        line.type("half a li")
        line.read_until("half a li")
        line.close()
        save(vmm, folder)
    assert (folder / "memory").stat().st_size == 64 * MIB
    assert (folder / "memory").stat().st_blocks * 512 < 8 * MIB, "memory that was never touched takes no room"
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    restore(restored, folder)
    assert restored.state() == "Paused"
    line = SerialClient(tmp_path / "com1", restored)
    restored.put("vm.resume")
    line.type("ne\r")
    assert "vCPUs=" not in line.read_until("you said: half a line\r\n> "), "it has not booted again"
    restored.put("vm.pause")
    restored.put("vm.snapshot", {"destination_url": f"file://{folder}-2"})
    line.close()


def test_a_disk_that_is_written_misses_nothing(tmp_path: Path, folder: Path, restored: Vmm) -> None:
    disk = tmp_path / "disk.raw"
    disk.touch()
    os.truncate(disk, 40 * MIB)
    guest = disk_guest.build(tmp_path / "guest.elf", write_mib=32)
    slow = {"bandwidth": {"size": MIB, "refill_time": 50}}
    disks = [{"id": "vda", "path": str(disk), "image_type": "Raw", "rate_limiter_config": slow}]
    serial = {"mode": "File", "file": str(tmp_path / "serial.log")}
    with Vmm(tmp_path / "vmm.sock") as vmm:
        vmm.put("vm.create", config(guest, disks=disks, serial=serial))
        vmm.put("vm.boot")
        written = wait_for(lambda: vmm.get("vm.counters")["vda"]["write_bytes"], "the guest writes")
        save(vmm, folder)
    restore(restored, folder)
    restored.put("vm.resume")
    wait_for(lambda: "all is written" in (tmp_path / "serial.log").read_text(), "the guest has written all")
    counters = restored.get("vm.counters")["vda"]
    assert counters["boots" if "boots" in counters else "resets"] == 0
    assert 0 < counters["write_bytes"] < 32 * MIB + 512 and written > 0
    assert disk.read_bytes()[2048 * 512 : 2048 * 512 + 1] == b"\x01", "it booted once"


def test_devices_that_came_later_keep_their_slots(tmp_path: Path, folder: Path, restored: Vmm) -> None:
    disk = tmp_path / "disk.raw"
    disk.touch()
    os.truncate(disk, MIB)
    with Vmm(tmp_path / "vmm.sock") as vmm:
        vsock = {"cid": 3, "socket": str(tmp_path / "vsock")}
        vmm.put("vm.create", talking(tmp_path, vsock=vsock, watchdog=True, balloon={"size": 0}))
        vmm.put("vm.boot")
        vmm.put("vm.add-disk", {"id": "late", "path": str(disk), "image_type": "Raw"})
        tree = vmm.get("vm.info")["device_tree"]
        save(vmm, folder)
    restore(restored, folder)
    assert restored.get("vm.info")["device_tree"] == tree


def test_what_cannot_be_saved_or_restored_is_said(tmp_path: Path, folder: Path, restored: Vmm) -> None:
    with Vmm(tmp_path / "vmm.sock") as vmm:
        url = {"destination_url": f"file://{folder}"}
        assert vmm.refusal("PUT", "vm.snapshot", url).status == 404
        vmm.put("vm.create", talking(tmp_path))
        vmm.put("vm.boot")
        assert vmm.refusal("PUT", "vm.snapshot", url).status == 405
        vmm.put("vm.pause")
        folder.mkdir()
        assert "such a file or folder already" in str(vmm.refusal("PUT", "vm.snapshot", url))
        folder.rmdir()
        assert vmm.refusal("PUT", "vm.snapshot", {"destination_url": "file://saved"}).status == 400
        vmm.put("vm.snapshot", url)
        assert vmm.refusal("PUT", "vm.restore", {"source_url": f"file://{folder}"}).status == 409
        vmm.put("vm.delete")
    source = {"source_url": f"file://{folder}"}
    assert "holds no machine" in str(restored.refusal("PUT", "vm.restore", {"source_url": "file:///nowhere"}))
    assert "net_fds: is not supported yet" in str(restored.refusal("PUT", "vm.restore", source | {"net_fds": []}))
    state = (folder / "state.bin").read_bytes()
    for damaged in (b"", state[: len(state) // 2], bytes(len(state)), b"\xff" * len(state), state[:40] + b"\xff" * 8):
        (folder / "state.bin").write_bytes(damaged)
        assert "cannot be restored" in str(restored.refusal("PUT", "vm.restore", source))
        assert restored.refusal("GET", "vm.info").status == 404, "nothing is left of the attempt"
    (folder / "state.bin").write_bytes(state)
    about = json.loads((folder / "machine.json").read_text())
    (folder / "machine.json").write_text(json.dumps(about | {"version": 99}))
    assert "another version" in str(restored.refusal("PUT", "vm.restore", source))
    (folder / "machine.json").write_text(json.dumps(about))
    document = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(document | {"memory": {"size": 32 * MIB}}))
    assert "another size" in str(restored.refusal("PUT", "vm.restore", source))
    (folder / "config.json").write_text(json.dumps(document))
    restore(restored, folder)
