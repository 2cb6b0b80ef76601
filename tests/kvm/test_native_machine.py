"""The life of a machine: start, kicks, pause, crash, reset, close; one process, real guests."""

from __future__ import annotations

import os
import resource
import select
import signal
import threading
from pathlib import Path

import pytest

from nova_lite.hv import console_log, guests
from nova_lite.hv.native.machine import Machine, MachineError, MachineStateError
from nova_lite.hv.vmm import loader

from .native_guests import LOAD, PATIENCE, assemble, consecutive, logged_numbers, needs_kvm, watched_machines

pytestmark = needs_kvm

machines = pytest.fixture(watched_machines, name="machines")

SPIN = b"\xeb\xfe"
HALT = b"\xf4\xeb\xfd"
COUNT = guests.COUNTING.read_bytes


def threads() -> int:
    return len(os.listdir("/proc/self/task"))


def test_the_counting_guest_counts(machines):
    guest = machines(COUNT())
    guest.machine.start()
    guest.wait_for_output(b"data: 2000\n")
    guest.machine.pause()
    assert guest.values()[:2000] == list(range(2000))
    counters = guest.machine.counters()
    assert counters["vcpu0"]["exits"] == counters["vcpu0"]["io"] == counters["port_console"]["lines"] >= 2000


# -- crashes --------------------------------------------------------------------------------------------------------


def test_triple_fault_tells_rip_and_bytes(machines):
    """An exception in long mode without an interrupt table."""
    guest = machines(memory=4 << 20)
    guest.machine.write_memory(0x200000, b"\x90\x90\x0f\x0b\xeb\xfe")
    guest.machine.set_long_mode(0x200000)
    guest.machine.start()
    (event,) = guest.wait_for_event()
    assert (event.kind, event.vcpu, event.rip, event.crashed) == ("triple_fault", 0, 0x200002, True)
    assert event.detail.startswith(b"\x0f\x0b\xeb\xfe")
    assert "triple fault" in str(event) and "0x200002" in str(event) and "0f 0b eb fe" in str(event)
    assert guest.machine.state == "crashed"


def test_internal_error_tells_its_suberror_and_rip(machines):
    """Running code where there is no memory is what KVM cannot do on any host."""
    guest = machines(memory=512 << 10)
    (event,) = guest.run(assemble("ljmp $0x9000, $0x123"))
    assert event.kind == "internal_error"
    assert (event.rip, event.code, event.detail) == (0x123, 1, b"")
    assert guest.machine.state == "crashed"


def test_a_crashed_machine_hangs_nothing(machines):
    guest = machines(vcpus=2)
    guest.run(assemble("lidt none; ud2\nnone: .word 0; .long 0"))
    machine = guest.machine
    machine.pause()
    machine.resume()
    assert machine.state == "crashed"
    assert machine.poll_events() == []
    machine.stop()
    assert machine.state == "stopped"


# -- reset ----------------------------------------------------------------------------------------------------------


def test_reset_is_a_fresh_boot_in_the_same_process(machines):
    code = assemble(
        """mov 0x8000, %ax; out %ax, $0x10                  # memory of the last boot is gone
        movw $77, 0x8000
        mov $0x3ff, %dx; in %dx, %al; xor %ah, %ah; out %ax, $0x10   # and so are the devices' registers
        mov $0x5a, %al; out %al, %dx
        mov $0xfe, %al; out %al, $0x64"""
    )
    guest = machines()
    for boot in range(1, 4):
        assert [event.kind for event in guest.run(code)] == ["reset"]
        assert guest.values() == [0, 0] * boot
        guest.machine.reset()
        assert guest.machine.state == "created"
        assert guest.machine.poll_events() == []
        assert guest.machine.counters()["serial"]["first_output_ns"] == 0
    assert guest.machine.counters()["machine"]["boots"] == 3


@pytest.mark.parametrize("before", ["created", "running", "paused", "crashed", "stopped"])
def test_reset_works_in_every_state(machines, before):
    guest = machines()
    machine = guest.machine
    if before == "crashed":
        guest.run(assemble("lidt none; ud2\nnone: .word 0; .long 0"))
    elif before != "created":
        guest.load(COUNT())
        machine.start()
        {"running": lambda: None, "paused": machine.pause, "stopped": machine.stop}[before]()
    assert machine.state == before
    machine.reset()
    guest.load(COUNT())
    since = len(guest.output)
    machine.start()
    guest.wait_for_output(b"data: 5\n", since)


# -- states, memory, sizes ------------------------------------------------------------------------------------------


def test_calls_that_the_state_does_not_allow_are_refused(machines):
    machine = machines().machine
    with pytest.raises(MachineError, match="entry point"):
        machine.start()
    for call in (machine.pause, machine.resume):
        with pytest.raises(MachineStateError, match="created"):
            call()
    machine.write_memory(LOAD, HALT)
    machine.set_real_mode(LOAD)
    machine.start()
    with pytest.raises(MachineStateError, match="cannot start a machine that is running"):
        machine.start()
    with pytest.raises(MachineStateError):
        machine.set_long_mode(0x100000)
    machine.stop()
    machine.stop()
    with pytest.raises(MachineStateError, match="stopped"):
        machine.resume()
    machine.close()
    machine.close()
    assert machine.state == "closed"
    for late in (machine.start, machine.poll_events, machine.counters, machine.reset):
        with pytest.raises(MachineStateError, match="closed"):
            late()


@pytest.mark.parametrize("size", [0, -4096, 4095, 4097])
def test_impossible_memory_sizes_are_refused(size):
    with pytest.raises(ValueError, match="memory_size"):
        Machine(size, 1)


@pytest.mark.parametrize("vcpus", [0, -1, 255])
def test_impossible_vcpu_counts_are_refused(vcpus):
    with pytest.raises(ValueError, match="vcpus"):
        Machine(1 << 20, vcpus)


def test_running_out_of_descriptors_at_any_step_leaks_none(tmp_path):
    def in_use() -> int:
        return len(os.listdir("/proc/self/fd"))

    log = tmp_path / "console.log"
    console_log.create(log, 4096)
    # The limit is one on numbers, not on how many: numbers that tests before this one left free are filled up.
    highest = max(int(name) for name in os.listdir("/proc/self/fd"))
    fillers = []
    while not fillers or fillers[-1] < highest:
        fillers.append(os.open("/dev/null", os.O_RDONLY))
    before, limits = in_use(), resource.getrlimit(resource.RLIMIT_NOFILE)
    refused = 0
    for free in range(20):
        resource.setrlimit(resource.RLIMIT_NOFILE, (before + free - 1, limits[1]))
        try:
            with Machine(1 << 20, 4, log, 4096) as machine:
                assert machine.state == "created"
        except (MachineError, OSError):
            refused += 1
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        assert in_use() == before
    for filler in fillers:
        os.close(filler)
    assert 5 < refused < 20


def test_a_descriptor_that_is_not_kvm_is_refused_and_nothing_leaks():
    null = os.open("/dev/null", os.O_RDWR)
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(MachineError, match="/dev/kvm"):
        Machine(1 << 20, 1, kvm_fd=null)
    assert len(os.listdir("/proc/self/fd")) == before
    os.close(null)


@pytest.mark.parametrize("address", [0x10001, 1 << 20, 1 << 63])
def test_real_mode_starts_only_where_it_can(machines, address):
    with pytest.raises(MachineError, match="real mode"):
        machines(memory=4 << 20).machine.set_real_mode(address)


def test_memory_is_reached_up_to_its_last_byte_and_no_further(machines):
    machine = machines().machine
    machine.write_memory((1 << 20) - 3, b"end")
    assert machine.read_memory((1 << 20) - 3, 3) == b"end"
    for address, size in (((1 << 20) - 2, 3), (1 << 20, 1), ((1 << 64) - 1, 2), (0, (1 << 20) + 1)):
        with pytest.raises(ValueError, match="guest memory"):
            machine.write_memory(address, b"x" * size)
        with pytest.raises(ValueError, match="guest memory"):
            machine.read_memory(address, size)
    with pytest.raises((ValueError, OverflowError)):
        machine.read_memory(-1, 1)


def test_memory_above_three_gib_goes_on_at_four(machines):
    machine = machines(memory=(3 << 30) + (1 << 20)).machine
    machine.write_memory((3 << 30) - 1, b"a")
    machine.write_memory((4 << 30), b"b")
    machine.write_memory((4 << 30) + (1 << 20) - 1, b"c")
    for address, size in (((3 << 30) - 1, 2), (3 << 30, 1), ((4 << 30) - 1, 2), ((4 << 30) + (1 << 20), 1)):
        with pytest.raises(ValueError):
            machine.read_memory(address, size)


def test_untouched_memory_costs_nothing(machines):
    def resident() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

    before = resident()
    machine = machines(HALT, memory=2 << 30).machine
    machine.start()
    machine.pause()
    assert resident() - before < 16 << 20


# -- events, input, log ---------------------------------------------------------------------------------------------


def test_the_eventfd_is_readable_while_events_wait_and_only_then(machines):
    guest = machines(assemble("mov $0xfe, %al; out %al, $0x64"))
    machine = guest.machine
    assert select.select([machine.eventfd], [], [], 0)[0] == []
    machine.start()
    assert select.select([machine.eventfd], [], [], PATIENCE)[0] == [machine.eventfd]
    assert [event.kind for event in machine.poll_events()] == ["reset"]
    assert select.select([machine.eventfd], [], [], 0)[0] == []


def test_the_console_log_goes_on_after_a_reset_and_in_the_next_machine(machines, tmp_path):
    log = tmp_path / "console.log"
    code = assemble("mov $7, %ax; out %ax, $0x10; mov $0xfe, %al; out %al, $0x64")
    for boots in (2, 1):
        guest = machines(console_log=log, console_log_size=8192)
        for _ in range(boots):
            guest.run(code)
            guest.machine.reset()
        guest.machine.close()
    assert console_log.read_tail(log, 1000) == b"out port: 16, data: 7\n" * 3


def test_a_guest_that_prints_for_ever_costs_bounded_disk(machines, tmp_path):
    log = tmp_path / "console.log"
    guest = machines(COUNT(), console_log=log, console_log_size=4096)
    size = os.stat(log)
    guest.machine.start()
    guest.wait_for_output(b"data: 3000\n")
    guest.machine.pause()
    now = os.stat(log)
    assert (
        (now.st_size, now.st_blocks)
        == (size.st_size, size.st_blocks)
        == (4096 + console_log.HEADER_SIZE, now.st_blocks)
    )
    numbers = logged_numbers(log)
    assert numbers[-1] == (guest.machine.counters()["port_console"]["lines"] - 1) % 65536
    assert consecutive(numbers) and len(numbers) > 150


def test_a_reader_beside_the_writer_sees_whole_lines_in_order(machines, tmp_path):
    log = tmp_path / "console.log"
    guest = machines(COUNT(), console_log=log, console_log_size=4096)
    guest.machine.start()
    guest.wait_for_output(b"data: 300\n")
    longest = 0
    for _ in range(300):
        numbers = logged_numbers(log)
        assert consecutive(numbers)
        longest = max(longest, len(numbers))
    assert longest > 100  # not each time: a reader that is held up finds all of it overwritten


# -- threads and descriptors ----------------------------------------------------------------------------------------


def test_vcpu_threads_are_named_and_take_no_signals_of_the_process(machines):
    machine = machines(HALT, vcpus=2).machine
    machine.start()
    found: dict[str, int] = {}
    for task in os.listdir("/proc/self/task"):
        status = dict(
            line.split(":\t", 1)
            for line in Path(f"/proc/self/task/{task}/status").read_text().splitlines()
            if ":\t" in line
        )
        found[status["Name"]] = int(status["SigBlk"], 16)
    assert {"vcpu0", "vcpu1"} <= set(found)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD, signal.SIGALRM, signal.SIGPIPE):
        assert found["vcpu0"] & 1 << (number - 1)
    assert not signal.pthread_sigmask(signal.SIG_BLOCK, [])  # ours is as it was


def test_fifty_machines_leave_nothing_behind(tmp_path):
    def cycle(index: int) -> None:
        with Machine(1 << 20, 1 + index % 2, tmp_path / "console.log", 4096) as machine:
            machine.write_memory(LOAD, (COUNT(), HALT, SPIN)[index % 3])
            machine.set_real_mode(LOAD)
            if index % 5:
                machine.start()
            if index % 7 == 0:
                machine.reset()

    cycle(1)
    fds, tasks, maps = (
        len(os.listdir("/proc/self/fd")),
        threads(),
        len(Path("/proc/self/maps").read_text().splitlines()),
    )
    for index in range(50):
        cycle(index)
    assert (len(os.listdir("/proc/self/fd")), threads()) == (fds, tasks)
    assert len(Path("/proc/self/maps").read_text().splitlines()) <= maps + 4


def test_the_callers_kvm_descriptor_stays_open():
    kvm = os.open("/dev/kvm", os.O_RDWR)
    with Machine(1 << 20, 1, kvm_fd=kvm) as machine:
        assert machine.state == "created"
    assert os.fstat(kvm)
    os.close(kvm)


def test_python_goes_on_while_a_call_waits(machines):
    """The native calls let go of the interpreter's lock."""
    machine = machines(SPIN).machine
    machine.start()
    turns = 0
    stop = threading.Event()

    def count() -> None:
        nonlocal turns
        while not stop.is_set():
            turns += 1

    other = threading.Thread(target=count)
    other.start()
    for _ in range(200):
        machine.pause()
        machine.resume()
    stop.set()
    other.join()
    assert turns > 0


def test_flat_kernels_run_through_the_loader(machines):
    guest = machines()
    assert loader.load(guest.machine, guests.COUNTING).format == "flat16"
    guest.machine.start()
    guest.wait_for_output(b"out port: 16, data: 0\nout port: 16, data: 1\n")
