"""A host whose KVM has no hardware virtualization (kvm-pvm): it is said at start, and stock Linux does not just hang.

The kernel gets as far as the first instruction that such a KVM cannot emulate; the machine's end then says which it
was, and where. On other hosts the same kernels are booted by tests/nested.
"""

from __future__ import annotations

import logging
import queue
import re
import uuid
from pathlib import Path

import pytest

from nova_lite.hv import host
from nova_lite.hv.driver import MachineEvent, MachineSpec, PowerState
from nova_lite.hv.kvm import KvmDriver
from nova_lite.paths import Paths
from tests.kvm.test_server_trouble import show, start
from tests.kvm.test_vmm_guest_ends import program
from tests.kvm.vmm_process import needs_kvm, wait_for
from tests.nested import guest_kernel, packages
from tests.serving import Serving, nova_lite

#: Most of it is the kernel's own code, emulated at about a million instructions a second.
PATIENCE = 500.0

pytestmark = [
    needs_kvm,
    pytest.mark.skipif(host.kvm_kind() != "kvm-pvm", reason=f"this host's KVM is {host.kvm_kind()}, not kvm-pvm"),
]


@pytest.fixture
def events() -> queue.Queue[MachineEvent]:
    return queue.Queue()


@pytest.fixture
def driver(tmp_path: Path, events, caplog):
    caplog.set_level(logging.INFO, "nova_lite.hv.kvm")
    driver = KvmDriver(Paths(tmp_path))
    driver.start(events.put)
    yield driver
    for info in driver.list():
        driver.destroy(info.uuid)
    driver.close()


def test_the_driver_says_at_its_start_what_it_runs_on(driver, caplog):
    said = [record.getMessage() for record in caplog.get_records("setup")]
    assert any("kvm-pvm, which has no hardware virtualization" in line for line in said)
    assert driver.capabilities().kvm_kind == "kvm-pvm"


@pytest.mark.timeout(600)
def test_stock_linux_ends_with_the_instruction_that_cannot_be_emulated(driver, events):
    try:
        kernel = guest_kernel.kernel().vmlinuz
    except packages.Unavailable as error:
        pytest.skip(str(error))
    spec = MachineSpec(
        uuid=str(uuid.uuid4()),
        name="linux",
        vcpus=1,
        memory_mb=80,
        kernel=kernel,
        kernel_format="bzimage",
        cmdline="console=ttyS0 earlyprintk=serial,ttyS0",
    )
    driver.prepare(spec)
    driver.power_on(spec)
    event = events.get(timeout=PATIENCE)
    assert (event.uuid, event.kind) == (spec.uuid, "crashed")
    pattern = r"KVM could not go on \(internal error.*rip 0x([0-9a-f]+), instruction bytes ((?:[0-9a-f]{2} ?)+)"
    said = re.search(pattern, event.detail)
    assert said, event.detail
    assert int(said[1], 16) >= 1 << 24 and len(said[2].split()) >= 3
    info = driver.info(spec.uuid)
    assert info.power_state == PowerState.CRASHED and info.detail == event.detail
    assert b"Linux version " in driver.console_output(spec.uuid, 1 << 17), "as far as it came"


def test_the_servers_fault_has_the_instruction_and_its_address(tmp_path):
    """One that stops stock kernels here: lock cmpxchg16b, which SLUB uses."""
    with Serving(tmp_path / "s") as serving:
        client = serving.client()
        guest = program("mov $0x104000, %esi\nlock cmpxchg16b (%rsi)\n0: jmp 0b")
        server_id = start(serving, client, "cmpxchg16b", guest)
        wait_for(lambda: show(client, server_id)["status"] == "ERROR", "ERROR")
        fault = show(client, server_id)["fault"]["message"]
        assert "KVM could not go on (internal error" in fault
        assert "rip 0x100005, instruction bytes f0 48 0f c7 0e" in fault
        assert client.call("DELETE", f"/v2.1/servers/{server_id}", version="2.96", caller="member").status == 204
    nova_lite(tmp_path / "s", "vm", "stop", "--all", "--force")
