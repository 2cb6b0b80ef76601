"""Tiny guests for the tests of the native layer: assembled on the spot, watched through a pipe."""

from __future__ import annotations

import fcntl
import os
import select
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nova_lite.hv import console_log
from nova_lite.hv.native.machine import Event, Machine

needs_kvm = pytest.mark.skipif(not os.access("/dev/kvm", os.R_OK | os.W_OK), reason="/dev/kvm cannot be used here")

PATIENCE = 60.0  # seconds; only a test that fails waits so long
LOAD = 0x10000


def assemble(source: str, bits: int = 16, address: int = 0) -> bytes:
    """A flat binary of GNU assembler source."""
    width, emulation = ("--64", "elf_x86_64") if bits == 64 else ("--32", "elf_i386")
    with tempfile.TemporaryDirectory() as folder:
        made, linked = Path(folder, "guest.o"), Path(folder, "guest.bin")
        subprocess.run(
            ["as", width, "-o", made, "-"],
            input=f".code{bits}\n.globl _start\n_start:\n{source}\n",
            text=True,
            check=True,
        )
        command = ["ld", "-m", emulation, f"-Ttext={address:#x}", "--oformat=binary", "-e", "_start"]
        subprocess.run([*command, "-o", linked, made], check=True)
        return linked.read_bytes()


class Watched:
    """A machine and its console output, which arrives through a pipe."""

    def __init__(self, code: bytes | None = None, *, memory: int = 1 << 20, vcpus: int = 1, **options: Any) -> None:
        self._reader, writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 1 << 20)  # what the pipe cannot hold is lost to the test
        try:
            self.machine = Machine(memory, vcpus, serial_fd_out=writer, **options)
        finally:
            os.close(writer)
        self.output = b""
        if code is not None:
            self.load(code)

    def load(self, code: bytes) -> None:
        self.machine.write_memory(LOAD, code)
        self.machine.set_real_mode(LOAD)

    def run(self, code: bytes) -> list[Event]:
        """Load, start and wait for the guest's end; its whole output is in ``output``."""
        self.load(code)
        self.machine.start()
        return self.wait_for_event()

    def wait_for_event(self) -> list[Event]:
        """The events, once there are any. Output is read meanwhile."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            ready, _, _ = select.select([self.machine.eventfd, self._reader], [], [], end - time.monotonic())
            if self._reader in ready:
                self._read()
            if self.machine.eventfd in ready:
                self._read()
                return self.machine.poll_events()
        raise AssertionError(f"no event; state {self.machine.state}, output {self.output[-500:]!r}")

    def wait_for_output(self, text: bytes, since: int = 0) -> bytes:
        """All output so far, once ``text`` stands in it after position ``since``."""
        end = time.monotonic() + PATIENCE
        while text not in self.output[since:]:
            ready, _, _ = select.select([self._reader], [], [], max(0, end - time.monotonic()))
            assert ready, f"no {text!r}; state {self.machine.state}, output {self.output[-500:]!r}"
            self._read()
        return self.output

    def values(self) -> list[int]:
        """What the guest has written to port 0x10."""
        return [int(line.rsplit(b" ", 1)[1]) for line in self.output.splitlines() if line.startswith(b"out port: 16")]

    def _read(self) -> None:
        try:
            self.output += os.read(self._reader, 1 << 20)
        except BlockingIOError:
            return

    def close(self) -> None:
        self.machine.close()
        os.close(self._reader)


def logged_numbers(log: Path) -> list[int]:
    """The numbers that the counting guest left in its log; the first and last line may be cut and are left out."""
    lines = console_log.read_tail(log, 1 << 30).split(b"\n")[1:-1]
    return [int(line.removeprefix(b"out port: 16, data: ")) for line in lines]


def consecutive(numbers: list[int]) -> bool:
    return numbers == [(numbers[0] + index) % 65536 for index in range(len(numbers))]


def watched_machines() -> Iterator[Any]:
    """Body of a fixture: makes watched machines and closes them all after the test."""
    made: list[Watched] = []

    def make(*arguments: Any, **options: Any) -> Watched:
        made.append(Watched(*arguments, **options))
        return made[-1]

    yield make
    for watched in made:
        watched.close()
