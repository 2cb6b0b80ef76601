"""Kicks and pauses: none is lost, none tears an access apart, and an idle guest needs neither nor a processor."""

from __future__ import annotations

import os
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nova_lite.hv import guests

from .native_guests import PATIENCE, assemble, consecutive, logged_numbers, needs_kvm, watched_machines

pytestmark = needs_kvm

machines = pytest.fixture(watched_machines, name="machines")

SPIN = b"\xeb\xfe"
HALT = b"\xf4\xeb\xfd"
COUNT = guests.COUNTING.read_bytes


@pytest.mark.timeout(600)
@pytest.mark.parametrize("code", [SPIN, HALT, None], ids=["spinning", "halted", "in and out"])
def test_no_kick_of_a_hundred_thousand_is_lost(machines, code):
    """pause() returns only when the vCPU has acknowledged; a lost wake-up ends it with an error after its timeout."""
    rounds = 100_000
    guest = machines(COUNT() if code is None else code)
    machine = guest.machine
    machine.start()
    machine.pause()
    machine.resume()
    before = machine.counters()["vcpu0"]
    for _ in range(rounds):
        machine.pause()
        machine.resume()
    after = machine.counters()["vcpu0"]
    assert after["parks"] - before["parks"] == rounds
    if code is not None:  # each pause got the vCPU out of KVM_RUN; a guest with exits may be met outside of it
        assert after["interrupted"] - before["interrupted"] >= rounds


KICKED_BEFORE_ENTRY = """
import sys
from nova_lite.hv.native.machine import Machine
with Machine(1 << 20, 1) as machine:
    machine.write_memory(0x10000, bytes.fromhex(sys.argv[1]))
    machine.set_real_mode(0x10000)
    machine.start()
    machine.pause()  # may come before the thread has looked at all; from here on each meets it on its way in
    machine.resume()
    for _ in range(2000):
        machine.pause()
        machine.resume()
    print(machine.counters()["vcpu0"]["interrupted"])
"""


@pytest.mark.skipif(shutil.which("gcc") is None, reason="this host has no gcc")
@pytest.mark.parametrize("code", [SPIN, HALT], ids=["spinning", "halted"])
def test_a_kick_just_before_the_guest_is_entered_is_not_lost(tmp_path, code):
    """The gap between the look at the request and KVM_RUN is made so wide that nearly every kick falls into it."""
    library = tmp_path / "slow_entry.so"
    source = Path(__file__).with_name("slow_entry.c")
    subprocess.run(["gcc", "-D_GNU_SOURCE", "-O1", "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    done = subprocess.run(
        [sys.executable, "-c", KICKED_BEFORE_ENTRY, code.hex()],
        env={**os.environ, "LD_PRELOAD": str(library)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) >= 2000


def test_every_vcpu_acknowledges_every_pause(machines):
    guest = machines(SPIN, vcpus=3)
    machine = guest.machine
    machine.start()
    machine.pause()
    before = [machine.counters()[f"vcpu{i}"]["parks"] for i in range(3)]
    for _ in range(500):
        machine.resume()
        machine.pause()
    assert [machine.counters()[f"vcpu{i}"]["parks"] - before[i] for i in range(3)] == [500] * 3


def test_a_paused_guest_stands_still_and_goes_on_where_it_was(machines, tmp_path):
    log = tmp_path / "console.log"
    guest = machines(COUNT(), console_log=log)
    guest.machine.start()
    guest.wait_for_output(b"data: 10\n")
    guest.machine.pause()
    assert guest.machine.state == "paused"
    exits = guest.machine.counters()["vcpu0"]["exits"]
    # Nothing may come any more, so there is no event to wait for: give it the time of many exits.
    assert select.select([guest.machine.eventfd], [], [], 0.05) == ([], [], [])
    assert guest.machine.counters()["vcpu0"]["exits"] == exits
    guest.machine.pause()  # repeatable
    guest.wait_for_output(b"data: %d\n" % ((exits - 1) % 65536))
    guest.machine.resume()
    guest.machine.resume()
    guest.wait_for_output(b"data: %d\n" % ((exits + 100) % 65536), len(guest.output))
    guest.machine.pause()
    assert consecutive(logged_numbers(log))


def test_pause_loses_no_pending_input_or_output(machines):
    """The guest reads back each value from the debug port and powers off at the first that is lost."""
    guest = machines(
        assemble(
            """xor %bx, %bx
        again:
            inc %bx
            mov %bx, %ax; out %ax, $0x80
            xor %ax, %ax; in $0x80, %ax
            cmp %ax, %bx; je again
            out %ax, $0x10; mov %bx, %ax; out %ax, $0x10
            mov $0x600, %dx; mov $0x34, %al; out %al, %dx"""
        )
    )
    machine = guest.machine
    machine.start()
    for _ in range(5000):
        machine.pause()
        machine.resume()
    assert machine.state == "running", guest.values()
    assert machine.poll_events() == []


def test_pause_finishes_the_access_that_was_under_way(machines):
    """Each byte that a string read has taken from the port lies in memory while the guest is paused."""
    guest = machines(
        assemble("cld; mov $0x2000, %ax; mov %ax, %es; xor %di, %di; mov $0x1234, %dx; again: insb; jmp again")
    )
    machine = guest.machine
    machine.start()
    checked = 0
    while True:
        machine.pause()
        taken = machine.counters()["bus"]["unclaimed_pio_reads"]
        if taken >= 60_000:
            break
        assert machine.read_memory(0x20000, 65536).count(0xFF) == taken
        checked += 1
        machine.resume()
    assert checked > 10


def test_an_idle_guest_costs_no_processor_time(machines):
    """Against a spinning guest beside it: no absolute time."""
    idle, busy = machines(HALT).machine, machines(SPIN).machine
    idle.start()
    busy.start()
    base = idle.counters()["vcpu0"]["cpu_ns"]
    deadline = time.monotonic() + PATIENCE
    while busy.counters()["vcpu0"]["cpu_ns"] < 300_000_000:
        assert time.monotonic() < deadline
        select.select([busy.eventfd], [], [], 0.05)
    assert idle.counters()["vcpu0"]["cpu_ns"] - base < 15_000_000
    assert idle.counters()["vcpu0"]["exits"] == 0
