"""One virtual machine on /dev/kvm: the Python face of the C code beside this file.

A ``Machine`` belongs to one thread, the VMM's control loop. The guest runs in C threads that never call Python: what
happens to it arrives as events (``eventfd`` becomes readable, ``poll_events`` returns them). No call here waits for a
guest longer than a kick takes.

Life of a machine::

    created --start--> running --pause--> paused --resume--> running
    running or paused --the guest ends--> shutdown | reset | crashed      (with one event; the guest never runs on)
    any --reset--> created          (empty memory, devices and vCPUs as after power-on; load and start again)
    any --stop--> stopped --reset--> created
    any --close--> closed
"""

from __future__ import annotations

import errno
import logging
import os

from nova_lite.hv import console_log as console_ring
from nova_lite.hv.native import counters, devices
from nova_lite.hv.native._kvm import ffi, lib
from nova_lite.hv.native.event import Event
from nova_lite.hv.native.hardware import ORDINARY, Memory, Topology
from nova_lite.hv.native.registers import Registers

LOG = logging.getLogger(__name__)

PAGE_SIZE = 4096
MAX_VCPUS = 254
_NAMES = {"msr": "MSR", "cpuid": "CPUID leaf"}
#: Where ``set_long_mode`` puts the stack unless told otherwise (grows down; below it lies the zero page).
DEFAULT_STACK = 0x8FF0
PAUSE_TIMEOUT_MS = 30_000

_STATES = {
    lib.NL_CREATED: "created",
    lib.NL_RUNNING: "running",
    lib.NL_PAUSED: "paused",
    lib.NL_SHUTDOWN: "shutdown",
    lib.NL_RESET: "reset",
    lib.NL_CRASHED: "crashed",
    lib.NL_STOPPED: "stopped",
}


class MachineError(Exception):
    """A step of the native layer failed. ``errno`` is its error number, ``step`` what was tried."""

    def __init__(self, step: str, code: int) -> None:
        super().__init__(f"{step}: {os.strerror(code)}" if code else step)
        self.step, self.errno = step, code


class MachineStateError(MachineError):
    """The machine's present state does not allow the call."""

    def __init__(self, verb: str, state: str) -> None:
        super().__init__(f"cannot {verb} a machine that is {state}", 0)
        self.verb, self.state = verb, state


class Machine:
    """One VM: memory, vCPUs, interrupt controllers, COM1, console port, debug, reset and power ports.

    ``memory_size`` bytes, a multiple of 4096; ``vcpus`` 1..254. ``console_log`` names the ring file of
    ``nova_lite.hv.console_log``, made if it does not exist and continued if it does, or is the descriptor of one that
    stays the caller's. ``kvm_fd`` is an open /dev/kvm (a duplicate is kept; opened here when None). ``serial_fd_out``
    gets a copy of the console output, without ever waiting for its reader; ``output_eventfd`` wakes a reader of the
    ring (``console_log.want_more``). ``pvpanic``: the guest can report a panic, which ends it. ``watchdog``: it
    can have itself reset when it hangs. ``topology``: one thread per core, all cores in one die when None.
    ``max_phys_bits``: of the guest's physical addresses; 0: the host's. ``debug_console``: a port that takes text, and
    where the text goes (a nonblocking descriptor that stays the caller's, or -1).

    Raises ``ValueError`` for impossible sizes, ``MachineError`` when the host refuses, ``OSError`` for the files.
    """

    def __init__(
        self,
        memory_size: int,
        vcpus: int,
        console_log: str | os.PathLike[str] | int | None = None,
        console_log_size: int = console_ring.DEFAULT_CAPACITY,
        kvm_fd: int | None = None,
        serial_fd_out: int = -1,
        output_eventfd: int = -1,
        pvpanic: bool = False,
        watchdog: bool = False,
        memory: Memory = ORDINARY,
        topology: Topology | None = None,
        max_phys_bits: int = 0,
        debug_console: tuple[int, int] | None = None,
    ) -> None:
        if memory_size < PAGE_SIZE or memory_size % PAGE_SIZE:
            raise ValueError(f"memory_size: {memory_size} is not a positive multiple of {PAGE_SIZE}")
        if not 1 <= vcpus <= MAX_VCPUS:
            raise ValueError(f"vcpus: {vcpus} is not between 1 and {MAX_VCPUS}")
        self.memory_size, self.vcpus, self.pvpanic, self.watchdog = memory_size, vcpus, pvpanic, watchdog
        self._native = None
        if isinstance(console_log, int):
            log_fd = os.dup(console_log)
        else:
            log_fd = -1 if console_log is None else console_ring.open_for_writing(console_log, console_log_size)
        opened = -1
        try:
            if kvm_fd is None:
                opened = kvm_fd = os.open("/dev/kvm", os.O_RDWR | os.O_CLOEXEC)
            config = ffi.new(
                "struct nl_config *",
                {
                    "memory": {"size": memory_size} | vars(memory),
                    "vcpus": vcpus,
                    "kvm_fd": kvm_fd,
                    "console_log_fd": log_fd,
                    "serial_out_fd": serial_fd_out,
                    "output_eventfd": output_eventfd,
                    "pvpanic": pvpanic,
                    "watchdog": watchdog,
                    "topology": {} if topology is None else vars(topology),
                    "max_phys_bits": max_phys_bits,
                    "debug_console_port": -1 if debug_console is None else debug_console[0],
                    "debug_console_fd": -1 if debug_console is None else debug_console[1],
                },
            )
            self._error = ffi.new("struct nl_error *")
            native = lib.nl_machine_create(config, self._error)
        finally:
            for fd in (log_fd, opened):
                if fd >= 0:
                    os.close(fd)
        if native == ffi.NULL:
            raise self._failure()
        self._native = native
        #: Each vCPU's, where they are not simply 0, 1, 2 ...
        self.apic_ids: tuple[int, ...] | None = None
        if topology is not None:
            self.apic_ids = tuple(lib.nl_machine_apic_id(native, index) for index in range(vcpus))
        self._log_refusals()

    # -- life ---------------------------------------------------------------------------------------------------

    @property
    def state(self) -> str:
        """created, running, paused, shutdown, reset, crashed, stopped or closed."""
        return "closed" if self._native is None else _STATES[lib.nl_machine_state(self._native)]

    @property
    def eventfd(self) -> int:
        """Readable when events wait; for select or epoll only, ``poll_events`` reads it."""
        return int(lib.nl_machine_eventfd(self._open("watch")))

    def start(self, paused: bool = False) -> None:
        """Start the vCPU threads. Only from ``created``, after memory and ``set_*_mode`` or ``restore``.

        ``paused``: no vCPU enters the guest before ``resume``.
        """
        start = lib.nl_machine_start_paused if paused else lib.nl_machine_start
        self._check(start(self._open("start"), self._error), "start")

    def pause(self) -> None:
        """Stop every vCPU between two instructions, pending I/O completed; returns when all have acknowledged.

        Nothing to do when paused already or when the guest has ended meanwhile (its event tells).
        """
        self._check(lib.nl_machine_pause(self._open("pause"), PAUSE_TIMEOUT_MS, self._error), "pause")

    def resume(self) -> None:
        """Go on after ``pause``. Nothing to do when running already or when the guest has ended."""
        self._check(lib.nl_machine_resume(self._open("resume"), self._error), "resume")

    def stop(self) -> None:
        """End the vCPU threads for good and join them; memory stays readable. Repeatable."""
        self._check(lib.nl_machine_stop(self._open("stop"), self._error), "stop")

    def reset(self) -> None:
        """Back to ``created``, in any state: threads ended, memory empty, vCPUs and devices as after power-on.

        Events that wait are dropped (they tell of the boot that is over), the console log goes on. Then load the
        kernel again, ``set_*_mode`` and ``start``.
        """
        self._check(lib.nl_machine_reset(self._open("reset"), self._error), "reset")

    def close(self) -> None:
        """Stop and free everything: threads, memory, file descriptors. Repeatable."""
        native, self._native = self._native, None
        if native is not None:
            lib.nl_machine_destroy(native)

    def __enter__(self) -> Machine:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    # -- loading ------------------------------------------------------------------------------------------------

    def write_memory(self, gpa: int, data: bytes | bytearray | memoryview) -> None:
        """Copy ``data`` to guest physical address ``gpa``; ValueError unless all of it lies in RAM."""
        buffer = ffi.from_buffer(data)
        self._memory(lib.nl_machine_write_memory(self._open("write to"), gpa, buffer, len(buffer)), gpa, len(buffer))

    def read_memory(self, gpa: int, size: int) -> bytes:
        """``size`` bytes from guest physical address ``gpa``; ValueError unless all of them lie in RAM."""
        if not 0 <= size <= self.memory_size:
            raise ValueError(f"guest memory has no {size} bytes")
        buffer = bytearray(size)
        view = ffi.from_buffer(buffer)
        self._memory(lib.nl_machine_read_memory(self._open("read from"), gpa, view, size), gpa, size)
        return bytes(buffer)

    def set_real_mode(self, address: int) -> None:
        """vCPU 0 starts in 16-bit real mode at segment ``address / 16``, offset 0; the others wait for INIT/SIPI.

        ``address``: a multiple of 16 below 1 MiB.
        """
        self._check(lib.nl_machine_set_real_mode(self._open("set up"), address, self._error), "set up")

    def set_long_mode(self, entry: int, rsi: int = 0, stack: int = DEFAULT_STACK) -> None:
        """vCPU 0 starts in 64-bit mode at ``entry`` with ``rsi`` set; the others wait for INIT/SIPI.

        Writes a GDT at 0x500 and page tables at 0x9000-0xEFFF into guest memory: the first 4 GiB mapped one to one.
        """
        self._check(lib.nl_machine_set_long_mode(self._open("set up"), entry, rsi, stack, self._error), "set up")

    def set_pvh(self, entry: int, start_info: int) -> None:
        """vCPU 0 starts in 32-bit protected mode at ``entry``, ebx = ``start_info``; the others wait for INIT/SIPI.

        Writes a GDT at 0x500.
        """
        self._check(lib.nl_machine_set_pvh(self._open("set up"), entry, start_info, self._error), "set up")

    # -- snapshots ----------------------------------------------------------------------------------------------

    def save(self) -> bytes:
        """All that a paused machine is but its memory (``dump_memory``): vCPUs, interrupt controllers, devices."""
        data, size = ffi.new("uint8_t **"), ffi.new("size_t *")
        self._check(lib.nl_machine_save(self._open("save"), data, size, self._error), "save")
        try:
            return bytes(ffi.buffer(data[0], size[0]))
        finally:
            lib.nl_saved_free(data[0])

    def restore(self, saved: bytes) -> None:
        """Become what ``save`` saw; in ``created``, instead of ``set_*_mode``, before ``start``.

        The machine must have been made alike, its devices in the same slots (``place_next``), and its memory loaded.
        """
        self._check(lib.nl_machine_restore(self._open("restore"), saved, len(saved), self._error), "restore")

    def load_memory(self, fd: int, offset: int) -> None:
        """What ``dump_memory`` wrote to a file; only in ``created``."""
        self._check(lib.nl_machine_load_memory(self._open("load"), fd, offset, self._error), "load")

    def place_next(self, slot: int) -> None:
        """The slot on the PCI bus that the device which is added next shall have; 0: the lowest free one."""
        lib.nl_machine_next_slot(self._open("add a device to"), slot)

    # -- devices ------------------------------------------------------------------------------------------------

    def add(self, device: devices.Device) -> int:
        """Put a virtio device on the PCI bus; its slot. It stays through every reset.

        In ``created``; or while running or paused: then the guest is told by ACPI.

        :raises MachineError: it cannot be made of these parts, or the bus is full.
        """
        slot = device.add_to(self._open("add a device to"), self._error)
        self._check(slot, "add a device to")
        return slot

    def slots(self) -> dict[str, int]:
        """Where each device sits on the PCI bus, by its id."""
        return counters.slots(self._open("ask"))

    def request_removal(self, slot: int) -> None:
        """Ask the guest to let go of a device, by ACPI; it does as it likes, then ``ejected`` tells. Repeatable."""
        verb = "ask for a device of"
        self._check(lib.nl_machine_request_removal(self._open(verb), slot, self._error), verb)

    def ejected(self) -> list[int]:
        """The slots whose devices the guest has let go of when it was asked to; ``remove`` them."""
        mask = int(lib.nl_machine_ejected(self._open("ask")))
        return [slot for slot in range(32) if mask >> slot & 1]

    def remove(self, slot: int) -> None:
        """Take a device away, whatever the guest is doing with it. While running, in ``created`` or ``stopped``.

        What is under way is brought to its end first; the vCPUs stand still that long.
        """
        self._check(lib.nl_machine_remove(self._open("remove a device of"), slot, self._error), "remove a device of")

    def log_disk(self, slot: int, on: bool) -> int:
        """Take note of what is written to the disk in a slot, or no more; log2 of the bytes of each part."""
        verb = "watch a disk of"
        part_bits = int(lib.nl_machine_log_disk(self._open(verb), slot, on, self._error))
        self._check(part_bits, verb)
        return part_bits

    def take_disk_log(self, slot: int) -> bytes:
        """What was written since it was asked last: a bit for each part, the first in the lowest of the first byte."""
        verb, room = "watch a disk of", 1 << 14
        words = ffi.new("uint64_t[]", room)
        taken = int(lib.nl_machine_take_disk_log(self._open(verb), slot, words, room, self._error))
        self._check(taken, verb)
        return bytes(ffi.buffer(words, 8 * taken))

    def add_rate_limit_group(self, name: str, limiter: devices.RateLimiter) -> None:
        """Limits that the disks which name it share; before these. ``name``: at most 31 bytes. Only in ``created``."""
        native = ffi.new("struct nl_rate_limiter *", limiter.native())
        verb = "limit the disks of"
        self._check(lib.nl_machine_add_rate_limit_group(self._open(verb), name.encode(), native, self._error), verb)

    # -- while it runs ------------------------------------------------------------------------------------------

    def serial_input(self, data: bytes) -> int:
        """Feed COM1's receiver; returns how many bytes were taken (the rest must be offered again later)."""
        return int(lib.nl_machine_serial_input(self._open("write to"), data, len(data)))

    def console_input(self, data: bytes) -> int:
        """Type at the virtio console; returns how many bytes were taken (the rest must be offered again later)."""
        return int(lib.nl_machine_console_input(self._open("write to"), data, len(data)))

    def resize_console(self, columns: int, rows: int) -> None:
        """Tell the guest the size of the window that shows its virtio console."""
        lib.nl_machine_console_resize(self._open("resize"), columns, rows)

    def resize_balloon(self, size: int) -> None:
        """Ask the guest to give up ``size`` bytes in all; it does as it likes.

        :raises MachineError: there is no balloon.
        """
        verb = "resize the balloon of"
        self._check(lib.nl_machine_resize_balloon(self._open(verb), size, self._error), verb)

    def balloon_actual(self) -> int:
        """Bytes that the guest says it has given up to the balloon; 0 without one."""
        return int(lib.nl_machine_balloon_actual(self._open("ask")))

    def press_power_button(self) -> None:
        """Tell the guest by ACPI that the power button was pressed; it does as it likes. While running or paused."""
        verb = "press the button of"
        self._check(lib.nl_machine_press_power_button(self._open(verb), self._error), verb)

    def nmi(self) -> None:
        """Send a non-maskable interrupt to every vCPU. While running or paused."""
        self._check(lib.nl_machine_nmi(self._open("interrupt"), self._error), "interrupt")

    def registers(self, vcpu: int) -> Registers:
        """Of a paused or stopped machine."""
        native = ffi.new("struct nl_registers *")
        self._check(lib.nl_machine_registers(self._open("look into"), vcpu, native, self._error), "look into")
        return Registers.of(native)

    def watch_console(self) -> None:
        """Report the next panic that the console tells of, too; there is one report until then."""
        lib.nl_machine_watch_console(self._open("watch"))

    def dump_memory(self, fd: int, offset: int) -> None:
        """Write guest memory to a file from ``offset`` on, one area after the other; zeroes become holes. At rest."""
        self._check(lib.nl_machine_dump_memory(self._open("dump"), fd, offset, self._error), "dump")

    def poll_events(self) -> list[Event]:
        """The events that wait, oldest first; empty when there are none."""
        native, found, event = self._open("watch"), [], ffi.new("struct nl_event *")
        while lib.nl_machine_next_event(native, event):
            found.append(Event.of(event))
        return found

    def counters(self) -> dict[str, dict[str, int]]:
        """Counts since the machine was made, by device: ``machine``, ``serial``, ``port_console``, ``debug_port``,
        ``debug_console``, ``bus`` and one per vCPU (``vcpu0`` ...).

        ``serial.first_output_ns`` and ``debug_port.first_write_ns`` are CLOCK_MONOTONIC nanoseconds of the present
        boot's first output on the console (by whatever port) and on port 0x80; 0 means none yet.
        """
        return counters.read(self._open("ask"), self.vcpus)

    # -- inside -------------------------------------------------------------------------------------------------

    def _open(self, verb: str):  # type: ignore[no-untyped-def]  # cffi's pointer has no static type
        if self._native is None:
            raise MachineStateError(verb, "closed")
        return self._native

    def _failure(self) -> MachineError:
        return MachineError(ffi.string(self._error.step).decode(), self._error.code)

    def _check(self, result: int, verb: str) -> None:
        if result == -errno.EBUSY:
            raise MachineStateError(verb, self.state)
        if result < 0:
            raise self._failure()

    @staticmethod
    def _memory(result: int, gpa: int, size: int) -> None:
        if result < 0:
            raise ValueError(f"guest memory has no {size} bytes at {gpa:#x}")

    def _log_refusals(self) -> None:
        machine = self.counters()["machine"]
        for what, count in (("msr", machine["msrs_refused"]), ("cpuid", machine["cpuid_refused"])):
            if count:
                last = machine[f"last_{what}_refused"]
                LOG.warning("KVM refused %s %#x (refused: %d); the guest runs without", _NAMES[what], last, count)
