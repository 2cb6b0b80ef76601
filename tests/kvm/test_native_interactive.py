"""The interactive guest over COM1, and several vCPUs: 64-bit code through the loader on /dev/kvm."""

from __future__ import annotations

from typing import Any

import pytest

from nova_lite.hv import console_log, guests
from nova_lite.hv.vmm import loader

from .native_guests import LOAD, Watched, assemble, needs_kvm, watched_machines

pytestmark = needs_kvm

machines = pytest.fixture(watched_machines, name="machines")

PROMPT = b"\r\n> "


def boot(machines, vcpus: int = 1, memory: int = 16 << 20) -> Watched:
    guest = machines(memory=memory, vcpus=vcpus)
    assert loader.load(guest.machine, guests.INTERACTIVE).format == "elf64"
    guest.machine.start()
    guest.wait_for_output(PROMPT)
    return guest


def say(guest: Watched, line: bytes, answer: bytes) -> bytes:
    """Type a line; everything the guest writes up to ``answer``."""
    since = len(guest.output)
    assert guest.machine.serial_input(line + b"\r") == len(line) + 1
    return guest.wait_for_output(answer, since)[since:]


@pytest.mark.parametrize(
    ("vcpus", "memory"), [(1, 16 << 20), (2, 64 << 20), (4, 512 << 20), (2, (3 << 30) + (256 << 20))]
)
def test_the_banner_tells_what_the_guest_found(machines, vcpus, memory):
    guest = boot(machines, vcpus, memory)
    assert guest.output.startswith(b"nova_lite guest: vCPUs=%d memory=%d MiB\r\n" % (vcpus, memory >> 20))


def test_it_echoes_and_gives_lines_back(machines):
    guest = boot(machines)
    assert say(guest, b"hello, world", PROMPT) == b"hello, world\r\nyou said: hello, world\r\n> "
    assert say(guest, b"hellp\x7fo", PROMPT).endswith(b"you said: hello\r\n> ")
    assert b"poweroff" in say(guest, b"help", PROMPT)
    assert say(guest, b"x" * 200, PROMPT).count(b"x") == 2 * 127


def test_a_long_paste_arrives_whole(machines):
    guest = boot(machines)
    text = b"".join(b"line %02d\r" % n for n in range(25))
    assert guest.machine.serial_input(text) == len(text)
    output = guest.wait_for_output(b"you said: line 24\r\n> ")
    assert [b"you said: line %02d" % n in output for n in range(25)] == [True] * 25


@pytest.mark.parametrize(
    ("word", "kind"), [(b"poweroff", "shutdown"), (b"reboot", "reset"), (b"crash", "triple_fault")]
)
def test_it_ends_as_told(machines, word, kind):
    guest = boot(machines, vcpus=2)
    say(guest, word, b"ing")
    assert [event.kind for event in guest.wait_for_event()] == [kind]


def test_idle_sleeps_and_spin_works_until_a_key(machines):
    guest = boot(machines)

    def used_by(word: bytes, answer: bytes) -> int:
        say(guest, word, answer)
        before = guest.machine.counters()["vcpu0"]["cpu_ns"]
        # The time that a second guest needs to come up is the measure for both.
        boot(machines)
        spent = guest.machine.counters()["vcpu0"]["cpu_ns"] - before
        since = len(guest.output)
        guest.machine.serial_input(b"k")
        guest.wait_for_output(b"awake" + PROMPT, since)
        return spent

    idle = used_by(b"idle", b"idle until a key is pressed\r\n")
    spin = used_by(b"spin", b"spinning until a key is pressed\r\n")
    assert spin > 5 * idle


def test_it_survives_pauses_while_it_talks(machines):
    guest = boot(machines, vcpus=2)
    for number in range(50):
        since = len(guest.output)
        line = b"number %d" % number
        guest.machine.serial_input(line + b"\r")
        for _ in range(5):
            guest.machine.pause()
            guest.machine.resume()
        assert guest.wait_for_output(PROMPT, since)[since:] == line + b"\r\nyou said: " + line + b"\r\n> "


def test_it_boots_again_after_a_reset(machines):
    guest = boot(machines)
    say(guest, b"reboot", b"again\r\n")
    guest.wait_for_event()
    guest.machine.reset()
    since = len(guest.output)
    loader.load(guest.machine, guests.INTERACTIVE, "a command line")
    guest.machine.start()
    assert guest.wait_for_output(PROMPT, since)[since:].startswith(b"nova_lite guest:")
    assert say(guest, b"alive", PROMPT).endswith(b"you said: alive\r\n> ")


# -- several vCPUs --------------------------------------------------------------------------------------------------

# vCPU 0 in long mode starts all others at LOAD with INIT and SIPI, then does what they do: at ``together`` all wait
# until everyone is there.
START_OTHERS = f"""
    mov $0xfee00300, %edi
    movl $0xc4500, (%rdi)
    movl $0xc4600 + ({LOAD} >> 12), (%rdi)
"""


def run_smp(machines, others: str, first: str, vcpus: int, **options: Any) -> Watched:
    guest = machines(memory=4 << 20, vcpus=vcpus, **options)
    guest.machine.write_memory(LOAD, assemble(others))
    guest.machine.write_memory(0x200000, assemble(START_OTHERS + first, bits=64, address=0x200000))
    guest.machine.set_long_mode(0x200000)
    guest.machine.start()
    return guest


def test_every_vcpu_runs_and_knows_its_number(machines):
    """Each other vCPU prints its APIC id (CPUID leaf 1) and counts itself; vCPU 0 powers off when all have."""
    vcpus = 4
    guest = run_smp(
        machines,
        "mov $1, %eax; cpuid; shr $24, %ebx; mov %bx, %ax; out %ax, $0x10; xor %ax, %ax; mov %ax, %ds;"
        "lock incw 0x8000; rest: cli; hlt; jmp rest",
        f"""again: cmpw ${vcpus - 1}, 0x8000; jne again
        mov $0x600, %dx; mov $0x34, %al; out %al, %dx""",
        vcpus,
    )
    assert [event.kind for event in guest.wait_for_event()] == ["shutdown"]
    assert sorted(guest.values()) == [1, 2, 3]


def test_of_many_resets_at_once_one_counts(machines):
    for _ in range(10):
        guest = run_smp(
            machines,
            "mov $0x34, %al; mov $0x600, %dx; out %al, %dx; mov $1, %ax; out %ax, $0x10; jmp .",
            "mov $0xfe, %al; out %al, $0x64; mov $1, %ax; out %ax, $0x10; jmp .",
            3,
        )
        events = guest.wait_for_event()
        guest.machine.pause()
        assert len(events + guest.machine.poll_events()) == 1
        assert guest.values() == []
        guest.machine.stop()


def test_a_crash_of_one_vcpu_stops_all(machines):
    guest = run_smp(machines, "jmp .", "xor %eax, %eax; mov %rax, %cr3; ud2; jmp .", 3)
    (event,) = guest.wait_for_event()
    assert event.crashed
    machine = guest.machine
    machine.pause()
    before = [machine.counters()[f"vcpu{i}"]["cpu_ns"] for i in range(3)]
    boot(machines)
    after = [machine.counters()[f"vcpu{i}"]["cpu_ns"] for i in range(3)]
    assert all(later - earlier < 1_000_000 for earlier, later in zip(before, after, strict=True))


def test_lines_of_several_vcpus_do_not_mix(machines, tmp_path):
    log = tmp_path / "console.log"
    guest = run_smp(
        machines,
        "mov $5000, %cx; again: mov %cx, %ax; out %ax, $0x10; loop again; xor %ax, %ax; mov %ax, %ds;"
        "lock incw 0x8000; rest: cli; hlt; jmp rest",
        "again: cmpw $2, 0x8000; jne again; mov $0x600, %dx; mov $0x34, %al; out %al, %dx",
        3,
        console_log=log,
        console_log_size=1 << 20,
    )
    guest.wait_for_event()
    lines = [b"out port: 16, data: %d" % number for number in range(1, 5001)]
    assert sorted(console_log.read_tail(log, 1 << 20).splitlines()) == sorted(lines * 2)
