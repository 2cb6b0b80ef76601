"""What a driver makes of what another left that was killed at any moment: one VMM or none, never two, no stranger."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from nova_lite.hv.driver import DriverError, PowerState
from nova_lite.hv.kvm import KvmDriver
from nova_lite.hv.vmm import process, record
from nova_lite.hv.vmm.api_socket import lock_holder, lock_path
from nova_lite.hv.vmm_process import hold
from tests.kvm.driver_host import Host
from tests.kvm.vmm_process import COUNTING, PATIENCE, Vmm, needs_kvm, wait_for

pytestmark = needs_kvm


def _leave_behind(host: Host) -> tuple[object, Path]:
    """A VM that runs while no driver does; its spec and folder."""
    spec = host.spec()
    host.driver.power_on(spec)
    host.driver.close()
    return spec, host.paths.instance(spec.uuid)


@pytest.mark.parametrize(
    "content",
    [
        None,
        b"",
        b'{"uuid": "6c5d',
        b"[]",
        b'{"uuid": 1, "boot_id": 2, "pid": "x", "start_time": null}',
        b'{"uuid": "u", "boot_id": "b", "pid": -1, "start_time": 1}',
        b"\xff\xfe",
    ],
)
def test_running_vm_is_adopted_whatever_became_of_its_record(host: Host, content: bytes | None) -> None:
    spec, folder = _leave_behind(host)
    (pid,) = host.vmms()
    if content is None:
        (folder / "vmm.json").unlink()
    else:
        (folder / "vmm.json").write_bytes(content)
    host.driver = host.new_driver()
    assert host.driver.power_on(spec).pid == pid  # type: ignore[arg-type]
    assert host.vmms() == [pid]
    assert record.read(folder) == record.Record(folder.name, process.boot_id(), pid, process.start_time(pid) or 0)


def test_intent_without_a_process_is_started_afresh(host: Host) -> None:
    spec = host.spec()
    host.driver.prepare(spec)
    record.write(host.paths.instance(spec.uuid), record.Record(spec.uuid, process.boot_id()))
    host.replace_driver()
    assert host.driver.info(spec.uuid).power_state == PowerState.SHUTDOWN
    assert [host.driver.power_on(spec).pid] == host.vmms()


@pytest.mark.parametrize("stale", ["start_time", "boot_id"])
def test_record_that_names_somebody_elses_process_harms_nobody(host: Host, stale: str) -> None:
    spec = host.spec()
    host.driver.prepare(spec)
    with subprocess.Popen(["sleep", "600"]) as stranger:
        started = process.start_time(stranger.pid)
        assert started is not None
        if stale == "start_time":
            found = record.Record(spec.uuid, process.boot_id(), stranger.pid, started - 1)
        else:
            found = record.Record(spec.uuid, "00000000-0000-0000-0000-000000000000", stranger.pid, started)
        record.write(host.paths.instance(spec.uuid), found)
        host.replace_driver()
        assert host.driver.info(spec.uuid).power_state == PowerState.SHUTDOWN
        host.driver.power_on(spec)
        host.driver.power_off(spec.uuid)
        assert stranger.poll() is None
        stranger.kill()


def test_vmm_without_its_lock_file_is_not_left_beside_a_new_one(host: Host) -> None:
    spec, folder = _leave_behind(host)
    lock_path(folder / "vmm.sock").unlink()
    host.driver = host.new_driver()
    assert host.vmms() == []
    assert [host.driver.power_on(spec).pid] == host.vmms()  # type: ignore[arg-type]


def test_vmm_whose_folder_vanished_is_killed(host: Host) -> None:
    _spec, folder = _leave_behind(host)
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
    host.driver = host.new_driver()
    assert host.vmms() == [] and host.driver.list() == []


def test_vmm_of_another_vm_on_the_socket_is_not_adopted(host: Host) -> None:
    spec = host.spec()
    host.driver.prepare(spec)
    other = ("--platform", "uuid=00000000-0000-4000-8000-000000000000")
    with Vmm(host.paths.vmm_socket(spec.uuid), "--kernel", COUNTING, "--memory", "16M", *other) as stranger:
        info = host.driver.power_on(spec)
        assert info.pid != stranger.process.pid and stranger.process.wait(PATIENCE) != 0
        assert lock_holder(host.paths.vmm_socket(spec.uuid)) == info.pid


def test_sockets_left_by_killed_vmms_are_in_nobodys_way(host: Host) -> None:
    spec = host.spec()
    vmm = hold(host.driver.power_on(spec).pid)
    assert vmm is not None
    host.driver.close()
    vmm.kill()
    vmm.close()
    assert host.paths.vmm_socket(spec.uuid).exists()
    host.driver = host.new_driver()
    assert host.driver.info(spec.uuid).power_state == PowerState.SHUTDOWN
    assert host.driver.power_on(spec).power_state == PowerState.RUNNING


_POWER_ON_AND_DIE = """
import json, os, signal, sys, threading
from pathlib import Path
from nova_lite.paths import Paths
from nova_lite.hv.driver import MachineSpec
from nova_lite.hv import kvm
from nova_lite.hv.vmm import record, spawner

state, where, spec = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
spec = MachineSpec(**spec | {"kernel": Path(spec["kernel"])})
die = lambda *_a, **_k: os.kill(os.getpid(), signal.SIGKILL)

def die_after(module, name):
    original = getattr(module, name)
    setattr(module, name, lambda *a, **k: (original(*a, **k), die()))

driver = kvm.KvmDriver(Paths(state), 65536)
driver.start(print)
if where == "intent":
    die_after(record, "write")
elif where == "asked":
    die_after(spawner.Spawner, "_send")
elif where == "running":
    die_after(spawner.Spawner, "spawn")
elif where == "recorded":
    die_after(kvm.vmm_process, "complete_record")
elif where == "off":
    driver.power_on(spec)
    die_after(kvm.VmmProcess, "end")
    driver.power_off(spec.uuid)
driver.power_on(spec)
"""


@pytest.mark.parametrize("where", ["intent", "asked", "running", "recorded", "off"])
def test_driver_killed_while_starting_or_ending_a_vm(host: Host, where: str) -> None:
    spec = host.spec()
    fields = {name: getattr(spec, name) for name in ("uuid", "name", "vcpus", "memory_mb", "kernel_format")}
    fields["kernel"] = str(spec.kernel)
    host.driver.close()
    done = subprocess.run([sys.executable, "-c", _POWER_ON_AND_DIE, str(host.paths.state), where, json.dumps(fields)])
    assert done.returncode == -9
    host.driver = host.new_driver()
    info = host.driver.power_on(spec)
    assert info.power_state == PowerState.RUNNING
    wait_for(lambda: host.vmms() == [info.pid], "exactly one VMM")
    assert host.driver.info(spec.uuid).pid == info.pid
    host.driver.destroy(spec.uuid)
    assert host.vmms() == [] and not os.path.exists(host.paths.instance(spec.uuid))


def test_two_drivers_at_once_end_in_one_vmm(host: Host) -> None:
    second = KvmDriver(host.paths, 65536)
    second.start(host.events.put)
    spec = host.spec()
    first_info = host.driver.power_on(spec)
    assert second.power_on(spec).pid == first_info.pid
    second.close()
    assert host.vmms() == [first_info.pid]


def test_folder_that_cannot_be_made_is_a_sentence(host: Host) -> None:
    spec = host.spec()
    host.paths.instance(spec.uuid).write_text("a file in the folder's place")
    with pytest.raises(DriverError, match="folder"):
        host.driver.prepare(spec)
    host.paths.instance(spec.uuid).unlink()
