"""The box's /dev/kvm is a real kvm-amd, and our Machine works on it."""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from nova_lite.hv import guests
from tests.kvm.native_guests import Watched, watched_machines

KVM_GET_API_VERSION, KVM_CREATE_VM, KVM_CHECK_EXTENSION = 0xAE00, 0xAE01, 0xAE03
KVM_CAP_NR_VCPUS = 9


@pytest.fixture(name="machines")
def _machines() -> Iterator:
    yield from watched_machines()


def test_the_module_is_kvm_amd_with_nested_paging():
    assert Path("/sys/module/kvm_amd/parameters/npt").read_text().strip() in ("1", "Y")
    assert not Path("/sys/module/kvm_pvm").exists()


def test_a_vm_can_be_made():
    kvm = os.open("/dev/kvm", os.O_RDWR | os.O_CLOEXEC)
    assert fcntl.ioctl(kvm, KVM_GET_API_VERSION, 0) == 12
    assert fcntl.ioctl(kvm, KVM_CHECK_EXTENSION, KVM_CAP_NR_VCPUS) == os.cpu_count()
    vm = fcntl.ioctl(kvm, KVM_CREATE_VM, 0)
    os.close(vm)
    os.close(kvm)


def test_our_machine_runs_the_counting_guest(machines):
    guest: Watched = machines(guests.COUNTING.read_bytes())
    guest.machine.start()
    guest.wait_for_output(b"data: 1000\n")
    guest.machine.pause()
    assert guest.values()[:1000] == list(range(1000))
    counters = guest.machine.counters()
    assert counters["vcpu0"]["exits"] == counters["port_console"]["lines"]


def test_a_triple_fault_ends_the_guest(machines):
    """Without its rip: kvm-amd resets the vCPU before it tells of a shutdown."""
    guest: Watched = machines(memory=4 << 20)
    guest.machine.write_memory(0x200000, b"\x90\x90\x0f\x0b\xeb\xfe")
    guest.machine.set_long_mode(0x200000)
    guest.machine.start()
    (event,) = guest.wait_for_event()
    assert (event.kind, event.vcpu, event.crashed) == ("triple_fault", 0, True)
    assert guest.machine.state == "crashed"


def test_a_tap_can_be_made():
    tap = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC)
    IFF_TAP_NO_PI, TUNSETIFF = 0x1002, 0x400454CA
    fcntl.ioctl(tap, TUNSETIFF, b"nltap0".ljust(16, b"\0") + IFF_TAP_NO_PI.to_bytes(2, "little") + bytes(22))
    assert Path("/sys/class/net/nltap0").exists()
    os.close(tap)


def test_the_boxs_processors_tick_by_themselves():
    """What box.TICKING is for: an interrupt that the emulation has lost is found at the next tick."""
    modes = re.findall(r"^Tick Device: mode: +(\d)", Path("/proc/timer_list").read_text(), re.MULTILINE)
    assert modes and set(modes) == {"0"}  # periodic
