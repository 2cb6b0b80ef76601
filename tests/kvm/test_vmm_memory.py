"""A VMM takes part in the zygote's memory: what was rehearsed there, and what a VM at rest goes back to sharing."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.vmm_memory import machine
from nova_lite.hv.driver import PowerState
from nova_lite.hv.kvm import KvmDriver
from nova_lite.paths import Paths
from tests.kvm.vmm_process import needs_kvm

pytestmark = needs_kvm
PATIENCE = 60.0
#: About 1000 are right; 2000 and more without giving back.
AT_REST_KIB = 1500


@pytest.fixture(name="driver")
def _driver(tmp_path: Path) -> Iterator[KvmDriver]:
    driver = KvmDriver(Paths(tmp_path))
    driver.start(lambda event: None)
    yield driver
    for info in driver.list():
        driver.destroy(info.uuid)
    driver.close()


def heap_kib(pid: int) -> int:
    """What a VMM has copied of the heap that it shares."""
    inside, total = False, 0
    for line in Path(f"/proc/{pid}/smaps").read_text().splitlines():
        if line.split(" ")[0].count("-") == 1:
            inside = "nova-lite-heap" in line and " rw-p " in line
        elif inside and line.startswith("Anonymous:"):
            total += int(line.split()[1])
    return total


def test_the_zygote_rehearses_and_shares_without_a_complaint(driver, tmp_path):
    info = driver.power_on(machine(tmp_path, 0, 16, False, False))
    assert heap_kib(info.pid) > 0
    assert "WARNING" not in (tmp_path / "run/zygote.log").read_text()


def test_a_vm_at_rest_has_given_back_and_works(driver, tmp_path):
    spec = machine(tmp_path, 0, 16, True, False)
    driver.prepare(spec)
    info = driver.power_on(spec)
    end = time.monotonic() + PATIENCE
    while heap_kib(info.pid) >= AT_REST_KIB and time.monotonic() < end:
        time.sleep(0.2)  # the VMM tells nobody
    assert heap_kib(info.pid) < AT_REST_KIB
    driver.pause(info.uuid)
    driver.resume(info.uuid)
    assert driver.info(info.uuid).power_state == PowerState.RUNNING
