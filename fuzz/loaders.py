"""Fuzzes the loaders of kernels, which are Python: ``python fuzz/loaders.py KIND [--seconds N | --runs N] [--seed N]``.

Seeds are mutated; a mutation that reaches lines which none reached before is kept and mutated further. Bad files may
only be refused with a LoaderError, in bounded time and memory, and nothing may be written outside of guest memory.
A finding ends the run with status 1, its input in ``build/fuzz/<kind>-crash-…``; keep it in ``corpus/<kind>`` with the
fix.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import resource
import signal
import struct
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from types import CodeType, FrameType, ModuleType
from typing import Any

from nova_lite.hv.vmm import bzimage, elf, kernel_file, linux_boot, loader, unpack

HERE = Path(__file__).resolve().parent
WORK = HERE.parent / "build/fuzz"
MEMORY = 64 << 20
#: What unpacking may give here; it is what bounds the memory of one input.
UNPACKED = 4 << 20
#: Seconds that one input may take, on a machine with other work.
PATIENCE = 10.0
#: Address space beside what the program has at its start: 128 MiB for a window, and room for what is unpacked.
ROOM = 1 << 30
LONGEST = 1 << 16

_TRACED: set[str | None] = set()
_NUMBERS = (0, 1, 2, 4, 0x7F, 0x80, 0xFF, 0x100, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 1 << 31, 0xFFFFFFFF, (1 << 64) - 1)


def trace(*modules: ModuleType) -> None:
    """Tell which of these modules' lines an input reaches, too."""
    _TRACED.update(module.__file__ for module in modules)


trace(bzimage, elf, kernel_file, linux_boot, loader, unpack)

Target = Callable[[bytes], None]
Lines = set[tuple[CodeType, int]]


class Finding(Exception):
    """An input that did what none may do."""


class _TooSlow(BaseException):
    """PATIENCE is over."""


class Sink:
    """Guest memory that checks what is written and keeps nothing."""

    memory_size, vcpus, pvpanic, watchdog, apic_ids = MEMORY, 2, True, True, None

    def __init__(self) -> None:
        self.started = False

    def write_memory(self, gpa: int, data: bytes) -> None:
        if self.started or gpa < 0 or not kernel_file.in_memory(gpa, len(data), MEMORY):
            raise Finding(f"{len(data)} bytes written to {gpa:#x}")

    def set_real_mode(self, address: int) -> None:
        self._start(address)

    def set_long_mode(self, entry: int, rsi: int = 0) -> None:
        self._start(entry)

    def set_pvh(self, entry: int, start_info: int) -> None:
        self._start(entry)

    def _start(self, entry: int) -> None:
        if not kernel_file.in_memory(entry, 1, MEMORY):
            raise Finding(f"the guest would start at {entry:#x}")
        self.started = True


def load(data: bytes) -> None:
    """As every format that it could be announced as, with an initramfs."""
    fd = os.memfd_create("kernel")
    try:
        os.write(fd, data)
        for announced in (None, *loader.FORMATS):
            machine = Sink()
            try:
                loader.load(machine, "fuzzed", "console=ttyS0", announced, fd=fd, initramfs=HERE / "corpus/elf/vmlinux")
            except kernel_file.LoaderError:
                if machine.started:
                    raise Finding("refused after the guest was set up") from None
    finally:
        os.close(fd)


def unpack_only(data: bytes) -> None:
    """A packed kernel alone: mutations need not get past a header first."""
    try:
        size = len(unpack.unpack(data, UNPACKED, "fuzzed"))
    except kernel_file.LoaderError:
        return
    if size > UNPACKED:
        raise Finding(f"{size} bytes were unpacked, {UNPACKED} are allowed")


TARGETS: dict[str, Target] = {"bzimage": load, "elf": load, "unpack": unpack_only}


def attempt(target: Target, data: bytes) -> Lines:
    """Run one input; the lines that it reached. Raises Finding for whatever it may not do."""
    reached: Lines = set()

    def trace_line(frame: FrameType, event: str, _argument: Any) -> Any:
        if event == "line":
            reached.add((frame.f_code, frame.f_lineno))
        return trace_line

    def trace_call(frame: FrameType, _event: str, _argument: Any) -> Any:
        return trace_line if frame.f_code.co_filename in _TRACED else None

    signal.setitimer(signal.ITIMER_REAL, PATIENCE)
    sys.settrace(trace_call)
    try:
        target(data)
    except Finding:
        raise
    except _TooSlow:
        raise Finding(f"it took more than {PATIENCE:g} s") from None
    except BaseException as error:
        raise Finding(f"{type(error).__name__}: {error}") from error
    finally:
        sys.settrace(None)
        signal.setitimer(signal.ITIMER_REAL, 0)
    return reached


def mutate(chance: random.Random, data: bytes, others: list[bytes]) -> bytes:
    """Some small changes, most of them where headers are."""
    changed = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 3, 6))):
        size = len(changed)
        at = chance.randrange(min(size, 0x300) if chance.random() < 0.7 and size else size + 1) if size else 0
        match chance.randrange(7):
            case 0 if at < size:
                changed[at] ^= 1 << chance.randrange(8)
            case 1 if at < size:
                changed[at] = chance.randrange(256)
            case 2 | 3:
                form = chance.choice(("<B", "<H", "<I", "<Q"))
                number = struct.pack("<Q", chance.choice(_NUMBERS))[: struct.calcsize(form)]
                changed[at : at + len(number)] = number
            case 4:
                del changed[at : at + chance.choice((1, 4, 16, size))]
            case 5:
                changed[at:at] = changed[at : at + chance.choice((1, 8, 64, 4096))]
            case _:
                other = chance.choice(others)
                start = chance.randrange(len(other) + 1)
                changed[at : at + 64] = other[start : start + chance.choice((4, 64, 4096))]
    return bytes(changed[:LONGEST])


def fuzz(kind: str, target: Target, seconds: float | None, runs: int | None, seed: int) -> int:
    """Until one of the limits; how many inputs were tried. Raises Finding, with its input kept."""
    chance = random.Random(seed)
    kept = WORK / kind
    kept.mkdir(parents=True, exist_ok=True)
    pool: list[bytes] = []
    reached: Lines = set()
    end = None if seconds is None else time.monotonic() + seconds
    seeds = [file.read_bytes() for folder in (HERE / "corpus" / kind, kept) for file in sorted(folder.iterdir())]
    tried = 0
    while tried < len(seeds) or ((runs is None or tried < runs) and (end is None or time.monotonic() < end)):
        data = seeds[tried] if tried < len(seeds) else mutate(chance, chance.choice(pool), pool)
        tried += 1
        try:
            lines = attempt(target, data)
        except Finding:
            (WORK / f"{kind}-crash-{_name(data)}").write_bytes(data)
            raise
        if tried <= len(seeds) or not lines <= reached:
            pool.append(data)
            if tried > len(seeds) and end is not None:
                (kept / _name(data)).write_bytes(data)
        reached |= lines
    print(f"{kind}: {tried} inputs, {len(reached)} lines reached, {len(pool)} kept")
    return tried


def _name(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]


def _too_slow(_number: int, _frame: FrameType | None) -> None:
    raise _TooSlow


def main(targets: dict[str, Target]) -> int:
    """The program, for any ``targets`` by their kind."""
    parser = argparse.ArgumentParser(description="Fuzzes what reads a stranger's files.")
    parser.add_argument("kind", choices=tuple(targets))
    limit = parser.add_mutually_exclusive_group(required=True)
    limit.add_argument("--seconds", type=float)
    limit.add_argument("--runs", type=int)
    parser.add_argument("--seed", type=int, help="of the random numbers; another each time when absent")
    given = parser.parse_args()
    signal.signal(signal.SIGALRM, _too_slow)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + ROOM, resource.RLIM_INFINITY))
    loader.UNPACKED_MAX_SIZE = UNPACKED
    seed = random.SystemRandom().randrange(1 << 32) if given.seed is None else given.seed
    try:
        fuzz(given.kind, targets[given.kind], given.seconds, given.runs, seed)
    except Finding as finding:
        traceback.print_exc()
        print(f"{given.kind}: {finding}; its input is kept in {WORK} (--seed {seed})", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(TARGETS))
