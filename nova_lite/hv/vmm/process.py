"""Facts about processes, from the kernel: who is it, is it still the same, end it.

A process id alone names nothing for long. Its start time (field 22 of /proc/<pid>/stat) and the host's boot id make
the name unique; a pidfd keeps it so while it is held.
"""

from __future__ import annotations

import errno
import os
import select
import signal
from pathlib import Path


def boot_id() -> str:
    """The kernel's name for the time since the host was switched on."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def start_time(pid: int) -> int | None:
    """Clock ticks between the host's start and the process's; None when it is gone or only waits to be reaped."""
    try:
        fd = os.open(f"/proc/{pid}/stat", os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fields = os.read(fd, 4096).rpartition(b")")[2].split()  # the name in parentheses may hold anything
    except ProcessLookupError:
        return None
    finally:
        os.close(fd)
    return None if fields[0] in (b"Z", b"X") else int(fields[19])


def open_pidfd(pid: int, started: int) -> int | None:
    """A pidfd of exactly that process; None when it has ended (another may bear its number by now)."""
    try:
        pidfd = os.pidfd_open(pid)
    except OSError as error:
        if error.errno in (errno.ESRCH, errno.EINVAL):
            return None
        raise
    if start_time(pid) != started:
        os.close(pidfd)
        return None
    return pidfd


def has_ended(pidfd: int, timeout: float = 0.0) -> bool:
    """Whether the process ends within ``timeout`` seconds."""
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    return bool(poll.poll(timeout * 1000))


def kill(pidfd: int) -> None:
    """SIGKILL; nothing to do when it has ended."""
    try:
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    except ProcessLookupError:
        return


def command_lines() -> dict[int, list[str]]:
    """The command line of every process that can be seen, by process id."""
    found = {}
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            try:
                raw = Path(entry.path, "cmdline").read_bytes()
            except (FileNotFoundError, ProcessLookupError, PermissionError):
                continue
            found[int(entry.name)] = os.fsdecode(raw.rstrip(b"\0")).split("\0")
    return found
