"""What a VMM and its guest were doing when a test failed: state, counters, threads, registers, the kernel's log."""

from __future__ import annotations

import json
import mmap
import re
import struct
import tempfile
import time
from pathlib import Path

from nova_lite.hv.vmm import client

#: The VMM may be what hangs.
_PATIENCE = 10.0
_NO_ANSWER = (OSError, client.VmmRefused, client.VmmUnreachable)
_LOG_BYTES = 6000
#: Linux' printk ring holds its lines one after the other, each behind a few bytes of its own.
_LOG_BEGINS = b"Linux version "
_LOG_SIZE = 1 << 17


def describe(socket: Path, pid: int) -> str:
    """As much as can still be found out, as text; it never raises for a VMM that does not answer."""
    parts = [f"--- the VMM's threads\n{_threads(pid)}"]
    for name in ("vm.info", "vm.counters"):
        parts.append(f"--- {name}\n{_ask(socket, name)}")
    time.sleep(1)  # which counters still move?
    parts.append(f"--- vm.counters, a second later\n{_ask(socket, 'vm.counters')}")
    try:
        parts.append(_dumped(socket))
    except _NO_ANSWER as error:
        parts.append(f"--- no dump of the guest: {error}")
    return "\n".join(parts)


def _ask(socket: Path, name: str) -> str:
    try:
        return json.dumps(client.request(socket, "GET", name, timeout=_PATIENCE))
    except _NO_ANSWER as error:
        return f"{error}"


def _threads(pid: int) -> str:
    """Name, state, where it waits in the kernel (as root), for each thread."""
    lines = []
    for task in sorted(Path(f"/proc/{pid}/task").glob("*")):
        try:
            name, state = (task / "comm").read_text().strip(), (task / "stat").read_text().rpartition(")")[2].split()[0]
            stack = (task / "stack").read_text().replace("\n", " ")
        except OSError as error:
            lines.append(f"{task.name}: {error.strerror}")
        else:
            lines.append(f"{task.name} {name} {state} {stack}")
    return "\n".join(lines) or "it has ended"


def _dumped(socket: Path) -> str:
    """Where the vCPUs are, and the end of the guest's kernel log, from its memory."""
    state = client.request(socket, "GET", "vm.info", timeout=_PATIENCE)["state"]
    if state == "Running":
        client.request(socket, "PUT", "vm.pause", timeout=_PATIENCE)
    elif state not in ("Paused", "Crashed"):
        return f"--- the guest is {state}"
    with tempfile.TemporaryDirectory() as folder:
        core = Path(folder, "core")
        destination = {"destination_url": f"file://{core}"}
        client.request(socket, "PUT", "vm.coredump", destination, timeout=300.0)
        with core.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as memory:
            return f"--- vCPUs\n{_registers(memory)}\n--- the guest's kernel log\n{_kernel_log(memory)}"


def _registers(memory: mmap.mmap) -> str:
    """From the notes that nova_lite.hv.vmm.coredump writes: the first of each vCPU is its NT_PRSTATUS."""
    _, _, at, _, _, size = struct.unpack_from("<IIQQQQ", memory, 64)
    end, lines = at + size, []
    while at < end:
        name, content, kind = struct.unpack_from("<III", memory, at)
        at += 12 + name + -name % 4
        if kind == 1:
            general = struct.unpack_from("<27Q", memory, at + 112)
            lines.append(f"rip {general[16]:#x} flags {general[18]:#x} rsp {general[19]:#x} rax {general[10]:#x}")
        at += content + -content % 4
    return "\n".join(lines)


def _kernel_log(memory: mmap.mmap) -> str:
    """The longest text behind the kernel's first words, which stand in its image, too."""
    found, at = "", memory.find(_LOG_BEGINS)
    while at >= 0:
        lines = re.findall(rb"[\t -~]{6,}", memory[at : at + _LOG_SIZE])
        text = "\n".join(line.decode() for line in lines)
        found = max(found, text, key=len)
        at = memory.find(_LOG_BEGINS, at + _LOG_SIZE)
    return found[-_LOG_BYTES:] or "(none found)"
