"""Devices as a guest sees them: each test is a few instructions of real-mode code on /dev/kvm."""

from __future__ import annotations

import os
import select
import time

import pytest

from nova_lite.hv.native.machine import Machine

from .native_guests import LOAD, PATIENCE, assemble, needs_kvm, watched_machines

pytestmark = needs_kvm

machines = pytest.fixture(watched_machines, name="machines")

POWER_OFF = "mov $0x600, %dx\n mov $0x34, %al\n out %al, %dx\n"


def test_port_16_prints_words_bytes_and_doublewords_as_lines(machines):
    guest = machines()
    guest.run(
        assemble(f"mov $65535, %ax; out %ax, $0x10; out %al, $0x10; mov $4000000000, %eax; out %eax, $0x10;{POWER_OFF}")
    )
    assert guest.output == b"".join(b"out port: 16, data: %d\n" % n for n in (65535, 255, 4000000000))


def test_port_16_prints_each_item_of_a_string_write(machines):
    guest = machines()
    guest.run(
        assemble(
            f"""cld; mov $numbers, %si; mov $5, %cx; mov $0x10, %dx; rep outsw
            {POWER_OFF}
            numbers: .word 7, 8, 9, 10, 11"""
        )
    )
    assert guest.values() == [7, 8, 9, 10, 11]


def test_debug_port_keeps_the_last_value_and_the_time_of_the_first(machines):
    before = time.monotonic_ns()
    guest = machines()
    guest.run(
        assemble(
            f"mov $0x40, %al; out %al, $0x80; mov $0x41, %al; out %al, $0x80; in $0x80, %al; out %al, $0x10;{POWER_OFF}"
        )
    )
    debug = guest.machine.counters()["debug_port"]
    assert (debug["writes"], debug["last"]) == (2, 0x41)
    assert before < debug["first_write_ns"] < time.monotonic_ns()
    assert guest.values() == [0x41]


def test_unclaimed_ports_read_all_ones_and_are_counted(machines):
    guest = machines()
    guest.run(
        assemble(
            f"""mov $0x1234, %dx
            xor %eax, %eax; in %dx, %eax; out %eax, $0x10
            xor %ax, %ax; in %dx, %ax; out %ax, $0x10
            xor %ax, %ax; in %dx, %al; out %ax, $0x10
            out %al, %dx
            {POWER_OFF}"""
        )
    )
    assert guest.values() == [0xFFFFFFFF, 0xFFFF, 0xFF]
    bus = guest.machine.counters()["bus"]
    assert (bus["unclaimed_pio_reads"], bus["unclaimed_pio_writes"]) == (3, 1)


def test_addresses_without_memory_read_all_ones_and_are_counted(machines):
    guest = machines(memory=512 << 10)
    guest.run(
        assemble(
            f"""mov $0x9000, %ax; mov %ax, %ds
            mov 0, %ax; out %ax, $0x10
            movw $5, 0
            mov 0, %ax; out %ax, $0x10
            {POWER_OFF}"""
        )
    )
    assert guest.values() == [0xFFFF, 0xFFFF]
    bus = guest.machine.counters()["bus"]
    assert (bus["unclaimed_mmio_reads"], bus["unclaimed_mmio_writes"]) == (2, 1)


@pytest.mark.parametrize(
    ("write", "kind"),
    [
        ("mov $0xfe, %al; out %al, $0x64", "reset"),
        ("mov $0x600, %dx; mov $1, %al; out %al, %dx", "reset"),
        # As Linux does it for reboot=p.
        (
            "mov $0xcf9, %dx; in %dx, %al; and $0xf1, %al; or $2, %al; out %al, %dx; or $0xe, %al; out %al, %dx",
            "reset",
        ),
        ("mov $0x600, %dx; mov $0x34, %al; out %al, %dx", "shutdown"),
    ],
)
def test_a_guest_that_ends_itself_never_runs_on(machines, write, kind):
    guest = machines()
    events = guest.run(assemble(f"mov $1, %ax; out %ax, $0x10; {write}; mov $2, %ax; out %ax, $0x10; jmp .-2"))
    assert [(event.kind, event.vcpu, event.crashed) for event in events] == [(kind, 0, False)]
    assert guest.machine.state == kind
    guest.machine.pause()  # returns when the vCPU is out of the guest for good
    guest.machine.resume()
    guest.machine.stop()
    assert guest.values() == [1]


def test_other_values_on_the_reset_ports_do_nothing(machines):
    guest = machines()
    events = guest.run(
        assemble(
            f"""mov $0xd1, %al; out %al, $0x64; in $0x64, %al; out %al, $0x10
            mov $0x600, %dx; mov $0x33, %al; out %al, %dx
            mov $0xcf9, %dx; mov $0xa, %al; out %al, %dx
            {POWER_OFF}"""
        )
    )
    assert [event.kind for event in events] == ["shutdown"]
    assert guest.values() == [0]


def test_what_follows_a_reset_in_one_string_write_is_not_done(machines):
    guest = machines()
    events = guest.run(
        assemble("cld; mov $codes, %si; mov $3, %cx; mov $0x600, %dx; rep outsb; jmp .\ncodes: .byte 1, 0x34, 1")
    )
    assert [event.kind for event in events] == ["reset"]
    guest.machine.stop()
    assert guest.machine.poll_events() == []


def test_serial_output_reaches_the_console(machines):
    guest = machines()
    guest.run(
        assemble(f'cld; mov $text, %si; mov $6, %cx; mov $0x3f8, %dx; rep outsb;{POWER_OFF}\ntext: .ascii "hello\\n"')
    )
    assert guest.output == b"hello\n"
    serial = guest.machine.counters()["serial"]
    assert (serial["bytes_out"], serial["console_bytes"]) == (6, 6)
    assert serial["first_output_ns"] > 0


def test_serial_registers_read_back_as_a_16550a_has_them(machines):
    guest = machines()
    read = "in %dx, %al; out %al, $0x10;"
    guest.run(
        assemble(
            f"""xor %ax, %ax
            mov $0x3ff, %dx; mov $0x5a, %al; out %al, %dx; {read}   # scratch
            mov $0x3fd, %dx; {read}                                 # line status: transmitter empty
            mov $0x3fe, %dx; {read}                                 # modem status: the other end is there
            mov $0x3fa, %dx; {read}                                 # no interrupt, no FIFOs
            mov $0x01, %al; out %al, %dx; {read}                    # FIFOs on
            mov $0x3fb, %dx; mov $0x83, %al; out %al, %dx; {read}   # divisor latch open
            mov $0x3f8, %dx; mov $0x34, %al; out %al, %dx; {read}
            mov $0x3f9, %dx; mov $0x12, %al; out %al, %dx; {read}
            mov $0x3fb, %dx; mov $0x03, %al; out %al, %dx; {read}   # and closed
            mov $0x3f9, %dx; {read}                                 # interrupts are as they were: off
            mov $0x3f8, %dx; in %dx, %ax; out %ax, $0x10            # a word is two registers
            {POWER_OFF}"""
        )
    )
    assert guest.values() == [0x5A, 0x60, 0xB0, 0x01, 0xC1, 0x83, 0x34, 0x12, 0x03, 0x00, 0x0000]


def test_serial_loopback_returns_bytes_and_modem_lines(machines):
    guest = machines()
    read = "in %dx, %al; out %al, $0x10;"
    guest.run(
        assemble(
            f"""xor %ax, %ax
            mov $0x3fc, %dx; mov $0x1a, %al; out %al, %dx           # loop, OUT2, RTS: Linux's probe
            mov $0x3fe, %dx; {read}
            mov $0x3f8, %dx; mov $'x', %al; out %al, %dx
            mov $0x3fd, %dx; {read}
            mov $0x3f8, %dx; {read}
            mov $0x3fd, %dx; {read}
            {POWER_OFF}"""
        )
    )
    assert guest.values() == [0x90, 0x61, ord("x"), 0x60]
    assert guest.machine.counters()["serial"]["bytes_out"] == 0


def test_serial_overrun_is_reported_once(machines):
    guest = machines()
    guest.run(
        assemble(
            f"""xor %ax, %ax
            mov $0x3fc, %dx; mov $0x10, %al; out %al, %dx
            mov $0x3f8, %dx; out %al, %dx; out %al, %dx             # one byte fits without FIFOs
            mov $0x3fd, %dx; in %dx, %al; out %al, $0x10; in %dx, %al; out %al, $0x10
            {POWER_OFF}"""
        )
    )
    assert guest.values() == [0x63, 0x61]


# The first PIC set up for vector 0x20, IRQ 4 open; the handler at ``handle`` in real mode's vector table.
WITH_INTERRUPTS = """
    cli
    xor %ax, %ax; mov %ax, %es
    movw $handle, %es:0x24 * 4
    mov %cs, %es:0x24 * 4 + 2
    mov $0x11, %al; out %al, $0x20
    mov $0x20, %al; out %al, $0x21
    mov $0x04, %al; out %al, $0x21
    mov $0x01, %al; out %al, $0x21
    mov $0xef, %al; out %al, $0x21
"""


def test_serial_input_interrupts_a_sleeping_guest(machines):
    guest = machines(
        assemble(
            f"""{WITH_INTERRUPTS}
            mov $0x3f9, %dx; mov $1, %al; out %al, %dx
            mov $1000, %ax; out %ax, $0x10                         # ready
        sleep:
            sti; hlt; jmp sleep
        handle:
            mov $0x3fa, %dx; in %dx, %al; xor %ah, %ah; out %ax, $0x10
            mov $0x3f8, %dx; in %dx, %al; out %ax, $0x10
            cmp $'q', %al; je quit
            mov $0x20, %al; out %al, $0x20
            iret
        quit:
            {POWER_OFF}"""
        )
    )
    guest.machine.start()
    guest.wait_for_output(b"data: 1000\n")
    assert guest.machine.serial_input(b"A") == 1
    guest.wait_for_output(b"data: 65\n")
    assert guest.machine.serial_input(b"BCDq") == 4  # more than the receiver holds without FIFOs
    assert [event.kind for event in guest.wait_for_event()] == ["shutdown"]
    assert guest.values() == [1000, 4, 65, 4, 66, 4, 67, 4, 68, 4, ord("q")]


def test_serial_transmitter_interrupts_after_each_byte(machines):
    guest = machines()
    guest.run(
        assemble(
            f"""{WITH_INTERRUPTS}
            mov $text, %si
            mov $0x3f9, %dx; mov $2, %al; out %al, %dx              # empty transmitter: the first interrupt at once
        sleep:
            sti; hlt; jmp sleep
        handle:
            mov $0x3fa, %dx; in %dx, %al
            cmp $0x02, %al; jne wrong
            mov (%si), %al
            test %al, %al; jz quit
            inc %si
            mov $0x3f8, %dx; out %al, %dx
            mov $0x20, %al; out %al, $0x20
            iret
        wrong:
            out %al, $0x10
        quit:
            {POWER_OFF}
        text: .asciz "by interrupt"
        """
        )
    )
    assert guest.output == b"by interrupt"


def test_serial_input_beyond_the_backlog_is_left_to_the_caller(machines):
    guest = machines(assemble("hlt; jmp ."))
    guest.machine.start()
    taken = guest.machine.serial_input(b"x" * 5000)
    assert 1000 < taken < 5000
    assert guest.machine.serial_input(b"x") == 0


def test_a_reader_that_never_reads_stalls_no_guest():
    reader, writer = os.pipe()
    with Machine(1 << 20, 1, serial_fd_out=writer) as machine:
        machine.write_memory(
            LOAD, assemble("mov $8000, %cx\n again: mov %cx, %ax; out %ax, $0x10; loop again;" + POWER_OFF)
        )
        machine.set_real_mode(LOAD)
        machine.start()
        assert select.select([machine.eventfd], [], [], PATIENCE)[0]
        serial = machine.counters()["serial"]
    os.close(writer)
    kept = sum(len(chunk) for chunk in iter(lambda: os.read(reader, 1 << 16), b""))
    os.close(reader)
    assert serial["console_bytes"] > 150_000
    assert 0 < kept < serial["console_bytes"]
    assert kept + serial["copy_dropped"] == serial["console_bytes"]


def test_a_reader_that_has_gone_away_harms_nobody():
    reader, writer = os.pipe()
    with Machine(1 << 20, 1, serial_fd_out=writer) as machine:
        os.close(reader)
        os.close(writer)
        machine.write_memory(LOAD, assemble("mov $1, %ax; out %ax, $0x10;" + POWER_OFF))
        machine.set_real_mode(LOAD)
        machine.start()
        assert select.select([machine.eventfd], [], [], PATIENCE)[0]
        assert machine.counters()["serial"]["copy_dropped"] > 0
