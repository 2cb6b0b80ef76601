"""Devices that come to a machine and go from it, with guests that look at the slots' registers themselves."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from nova_lite.hv import console_log
from nova_lite.hv.guests import NOTHING_BOOTABLE
from nova_lite.hv.native import devices
from nova_lite.hv.native.machine import MachineError, MachineStateError
from tests.kvm.native_guests import assemble, needs_kvm, watched_machines
from tests.kvm.vmm_process import MIB, Vmm, config, wait_for

pytestmark = needs_kvm

machines = pytest.fixture(watched_machines, name="machines")

#: Prints what comes up in PCIU, then what is wanted back in PCID, which is in eax afterwards.
LISTEN = """again:
  mov $0x640, %dx; in %dx, %eax; test %eax, %eax; jz 1f; out %eax, $0x10
1: mov $0x644, %dx; in %dx, %eax; cmp %eax, %ebx; je again; out %eax, $0x10
"""
EJECT = "mov $0x648, %dx; out %eax, %dx"
#: Lets go of it.
OBEDIENT = f"xor %ebx, %ebx\n{LISTEN} {EJECT}; jmp again"
STUBBORN = f"xor %ebx, %ebx\n{LISTEN} mov %eax, %ebx; jmp again"
#: Lets go of slot 2 and looks whether it is still there.
CURIOUS = f"""xor %ebx, %ebx
  {LISTEN} {EJECT}
  mov $0x80001000, %eax; mov $0xcf8, %dx; out %eax, %dx; mov $0xcfc, %dx; in %dx, %eax; out %eax, $0x10
  jmp again"""


def balloon(name: str) -> devices.Balloon:
    return devices.Balloon(name)


def test_a_guest_hears_of_a_device_and_lets_go_of_it(machines):
    guest = machines(assemble(OBEDIENT))
    machine = guest.machine
    machine.add(balloon("first"))
    machine.start()
    assert machine.add(balloon("second")) == 2 and machine.slots() == {"first": 1, "second": 2}
    guest.wait_for_output(b"data: 4\n")
    machine.request_removal(1)
    (event,) = guest.wait_for_event()
    assert event.kind == "eject" and not event.crashed
    assert machine.ejected() == [1] and machine.state == "running"
    machine.remove(1)
    assert machine.ejected() == [] and machine.slots() == {"second": 2}
    assert machine.add(balloon("third")) == 1
    since = len(guest.output)
    guest.wait_for_output(b"data: 2\n", since=since - len(b"data: 2\n"))
    with pytest.raises(MachineError, match="find the device"):
        machine.request_removal(7)


def test_what_the_guest_has_let_go_of_is_no_longer_there_for_it(machines):
    guest = machines(assemble(CURIOUS))
    machine = guest.machine
    machine.add(balloon("first"))
    machine.start()
    machine.add(balloon("second"))
    machine.request_removal(2)
    guest.wait_for_event()
    guest.wait_for_output(b"data: 4294967295\n")
    machine.remove(2)
    assert machine.slots() == {"first": 1}


def test_a_paused_machine_gets_devices_and_gives_none(machines):
    guest = machines(assemble(OBEDIENT))
    machine = guest.machine
    machine.start()
    machine.pause()
    assert machine.add(balloon("first")) == 1
    machine.request_removal(1)
    with pytest.raises(MachineStateError, match="paused"):
        machine.remove(1)
    machine.resume()
    (event,) = guest.wait_for_event()
    assert event.kind == "eject"
    machine.remove(1)
    machine.stop()
    with pytest.raises(MachineStateError):
        machine.add(balloon("late"))


def test_the_bus_can_be_full(machines):
    guest = machines(assemble(OBEDIENT))
    machine = guest.machine
    machine.start()
    for number in range(1, 32):
        assert machine.add(balloon(f"b{number}")) == number
    with pytest.raises(MachineError, match="No space left"):
        machine.add(balloon("one more"))
    for number in range(1, 32):
        machine.request_removal(number)
    gone: list[int] = []
    while len(gone) < 31:
        guest.wait_for_event()
        for slot in machine.ejected():
            machine.remove(slot)
            gone.append(slot)
    assert sorted(gone) == list(range(1, 32)) and machine.slots() == {}


def test_devices_come_and_go_many_times_and_leave_no_descriptor(machines, tmp_path):
    guest = machines(assemble(OBEDIENT))
    machine = guest.machine
    machine.start()
    image = tmp_path / "image"
    image.write_bytes(bytes(MIB))
    fd = os.open(image, os.O_RDWR)
    before = None
    for _ in range(20):
        slot = machine.add(devices.Disk("disk", fd, queues=4))
        machine.request_removal(slot)
        guest.wait_for_event()
        machine.remove(slot)
        now = len(os.listdir("/proc/self/fd"))
        assert before in (None, now)
        before = now
    os.close(fd)


# -- by REST ----------------------------------------------------------------------------------------------------------


@pytest.fixture(name="image")
def _image(tmp_path: Path) -> Path:
    path = tmp_path / "image"
    path.write_bytes(bytes(MIB))
    return path


@pytest.fixture(name="vmm")
def _vmm(tmp_path: Path) -> Iterator[Vmm]:
    with Vmm(tmp_path / "api.sock") as process:
        yield process


def create(vmm: Vmm, tmp_path: Path, code: str, **more: object) -> Path:
    kernel, log = tmp_path / "kernel", tmp_path / "console.log"
    kernel.write_bytes(assemble(code))
    vmm.put("vm.create", config(kernel, console={"mode": "Off"}, console_log={"file": str(log)}, **more))
    return log


def heard(log: Path, number: int, times: int = 1) -> None:
    line = b"data: %d\n" % number
    wait_for(lambda: console_log.read_tail(log, 1 << 20).count(line) >= times, f"the guest to say {number}")


def test_a_disk_is_added_and_removed_while_the_guest_runs(vmm, tmp_path, image):
    log = create(vmm, tmp_path, OBEDIENT)
    vmm.put("vm.boot")
    events = vmm.events()
    assert vmm.put("vm.add-disk", {"path": str(image)}) == {"id": "_disk0", "bdf": "0000:00:02.0"}
    heard(log, 4)
    assert events.until("device_added")["detail"] == "_disk0"
    assert vmm.get("vm.info")["config"]["disks"][0]["path"] == str(image)
    assert vmm.get("vm.counters")["_disk0"]["read_ops"] == 0
    assert vmm.refusal("PUT", "vm.add-disk", {"path": str(image)}).chain[1] == "path: is in use by another machine"
    assert vmm.put("vm.remove-device", {"id": "_disk0"}) is None
    gone = events.until("device_removed")
    assert (gone["detail"], gone["initiator"]) == ("_disk0", "guest")
    assert "disks" not in vmm.get("vm.info")["config"] and "removing" not in vmm.get("vm.info")
    assert vmm.put("vm.add-disk", {"path": str(image), "id": "again"})["bdf"] == "0000:00:02.0"
    vmm.put("vm.reboot")
    assert "again" in vmm.get("vm.counters")


def test_a_guest_may_keep_what_it_was_asked_for(vmm, tmp_path, image):
    log = create(vmm, tmp_path, STUBBORN, disks=[{"path": str(image), "id": "data"}])
    vmm.put("vm.boot")
    for _ in range(2):
        assert vmm.put("vm.remove-device", {"id": "data"}) is None
    heard(log, 2)
    info = vmm.get("vm.info")
    assert info["removing"] == ["data"] and info["config"]["disks"][0]["id"] == "data"
    vmm.put("vm.pause")
    vmm.put("vm.resume")
    assert vmm.get("vm.info")["removing"] == ["data"]
    events = vmm.events()
    vmm.put("vm.reboot")  # the next start is without it
    assert events.until("device_removed")["detail"] == "data"
    info = vmm.get("vm.info")
    assert "removing" not in info and "disks" not in info["config"] and info["state"] == "Running"
    assert "data" not in vmm.get("vm.counters")


@pytest.mark.parametrize("way", ["vm.shutdown", "vm.delete"])
def test_what_is_asked_back_goes_with_the_machine(vmm, tmp_path, image, way):
    create(vmm, tmp_path, STUBBORN, disks=[{"path": str(image), "id": "data"}])
    vmm.put("vm.boot")
    vmm.put("vm.remove-device", {"id": "data"})
    vmm.put(way)
    if way == "vm.shutdown":
        assert "disks" not in vmm.get("vm.info")["config"]
        vmm.put("vm.boot")


def test_a_paused_machine_is_told_when_it_goes_on(vmm, tmp_path, image):
    log = create(vmm, tmp_path, OBEDIENT)
    vmm.put("vm.boot")
    vmm.put("vm.pause")
    assert vmm.put("vm.add-disk", {"path": str(image), "id": "data"})["bdf"] == "0000:00:02.0"
    vmm.put("vm.remove-device", {"id": "data"})
    assert vmm.get("vm.info")["removing"] == ["data"]
    events = vmm.events()
    vmm.put("vm.resume")
    assert events.until("device_removed")["detail"] == "data"
    heard(log, 4)


def test_of_a_machine_that_is_off_only_the_configuration_changes(vmm, tmp_path, image):
    create(vmm, tmp_path, STUBBORN)
    for number in range(3):
        assert vmm.put("vm.add-disk", {"path": str(image), "readonly": True}) is None
        assert vmm.get("vm.info")["config"]["disks"][number]["id"] == f"_disk{number}"
    vmm.put("vm.remove-device", {"id": "_disk1"})
    vmm.put("vm.add-disk", {"path": str(image), "readonly": True})
    assert [disk["id"] for disk in vmm.get("vm.info")["config"]["disks"]] == ["_disk0", "_disk2", "_disk1"]
    vmm.put("vm.add-vsock", {"cid": 3, "socket": str(tmp_path / "vsock")})
    vmm.put("vm.boot")
    assert {"_disk0", "_disk1", "_disk2", "_vsock0"} <= set(vmm.get("vm.counters"))
    vmm.put("vm.shutdown")
    vmm.put("vm.remove-device", {"id": "_vsock0"})
    assert "vsock" not in vmm.get("vm.info")["config"]


def test_what_cannot_be_is_refused_with_its_reason(vmm, tmp_path, image):
    assert vmm.refusal("PUT", "vm.add-disk", {"path": str(image)}).status == 404
    assert vmm.refusal("PUT", "vm.remove-device", {"id": "x"}).status == 404
    create(vmm, tmp_path, STUBBORN, disks=[{"path": str(image), "readonly": True, "id": "a"}])
    vmm.put("vm.boot")
    for name, body, status, reason in (
        ("vm.add-disk", {}, 400, "path: is missing"),
        ("vm.add-disk", {"path": "/x", "color": 1}, 400, "color: unknown key; known here: path"),
        ("vm.add-disk", {"path": "/x", "vhost_user": True}, 400, "vhost_user: is not supported yet"),
        ("vm.add-disk", {"path": "x"}, 400, "disks.0.path: 'x' is not an absolute path"),
        ("vm.add-disk", {"path": "/nonexistent"}, 400, "path: No such file or directory"),
        ("vm.add-disk", {"path": str(image), "id": "a"}, 400, "id: 'a' is another device's"),
        ("vm.add-disk", [], 400, "body: "),
        ("vm.add-net", {"fds": [3]}, 400, "fds: descriptors come from who starts the VMM"),
        ("vm.add-net", {"mac": "01:00:00:00:00:00"}, 400, "a group's address"),
        ("vm.add-vsock", {"cid": 3, "socket": str(tmp_path / "no/v")}, 400, "vsock.socket: "),
        ("vm.remove-device", {}, 400, "id: is missing"),
        ("vm.remove-device", {"id": "b"}, 404, "id: 'b'; there are a"),
        ("vm.remove-device", {"id": "__rng"}, 400, "__rng belongs to the machine for good"),
    ):
        refusal = vmm.refusal("PUT", name, body)
        assert refusal.status == status and reason in "; ".join(refusal.chain), (name, body, refusal.chain)
    for number in range(1, 16):
        assert vmm.put("vm.add-disk", {"path": str(image), "readonly": True, "id": f"d{number}"})
    refusal = vmm.refusal("PUT", "vm.add-disk", {"path": str(image), "readonly": True})
    assert refusal.status == 400 and refusal.chain[1] == "disks: the machine has 16 of them, and there can be no more"
    assert len(vmm.get("vm.info")["config"]["disks"]) == 16


def test_a_machine_whose_disk_boots_nothing_lets_go_of_devices(vmm, tmp_path, image):
    log, payload = tmp_path / "console.log", {"kernel": str(NOTHING_BOOTABLE), "cmdline": "nothing\nto boot"}
    consoles = {"console": {"mode": "Off"}, "serial": {"mode": "Null"}, "console_log": {"file": str(log)}}
    vmm.put("vm.create", config(NOTHING_BOOTABLE, payload=payload, **consoles))
    vmm.put("vm.boot")
    events = vmm.events()
    wait_for(lambda: b"nothing\r\nto boot" in console_log.read_tail(log, 1 << 20), "the guest to say why")
    vmm.put("vm.add-disk", {"path": str(image)})
    vmm.put("vm.remove-device", {"id": "_disk0"})
    assert events.until("device_removed")["detail"] == "_disk0"
