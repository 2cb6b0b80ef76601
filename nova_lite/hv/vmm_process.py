"""VMM processes as the driver sees them: find the one of a VM, be sure that it is the one, end it, keep others out.

The lock beside the VM's socket says which process serves it. The record, the kernel's word on who listens at the socket
and the VMM's own answer must agree with it; a process that only looks like the VM's is killed, never used.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from nova_lite.hv.driver import DriverError
from nova_lite.hv.vmm import client, process, record
from nova_lite.hv.vmm.api_socket import PathLock, lock_holder
from nova_lite.hv.vmm.client import VmmRefused, VmmUnreachable
from nova_lite.hv.vmm.errors import SocketInUse

LOG = logging.getLogger(__name__)

#: Seconds a VMM gets to end by itself, and then to die.
GRACE = 5.0
DEATH = 30.0
#: Seconds a VMM gets to say who it is when it is adopted.
INTRODUCTION = 5.0


@dataclass(frozen=True)
class VmmProcess:
    """A VMM of ours, held by its pidfd."""

    pid: int
    start_time: int
    pidfd: int

    def has_ended(self) -> bool:
        return process.has_ended(self.pidfd)

    def end(self) -> None:
        """SIGTERM, and SIGKILL if that is not obeyed. DriverError when the process cannot be ended at all."""
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self.pidfd, signal.SIGTERM)
        if not process.has_ended(self.pidfd, GRACE):
            LOG.warning("Process %d does not end by itself; it is killed", self.pid)
            self.kill()

    def kill(self) -> None:
        process.kill(self.pidfd)
        if not process.has_ended(self.pidfd, DEATH):
            raise DriverError("The VM's process cannot be ended.")

    def close(self) -> None:
        os.close(self.pidfd)


def hold(pid: int, start_time: int | None = None) -> VmmProcess | None:
    """The process of that number (and start time, if given); None when there is none."""
    started = process.start_time(pid) if start_time is None else start_time
    pidfd = None if started is None else process.open_pidfd(pid, started)
    return None if pidfd is None or started is None else VmmProcess(pid, started, pidfd)


def find(uuid: str, folder: Path, socket: Path, boot_id: str) -> VmmProcess | None:
    """The VMM that serves this VM; whatever only pretends to is killed. Its record is brought up to date."""
    pid = lock_holder(socket)
    if pid is None:
        _kill_recorded(folder, boot_id)
        return None
    vmm = hold(pid)
    if vmm is None:
        return None
    if not _is_the_one(uuid, socket, vmm):
        LOG.warning("VM %s: process %d serves its socket but is not its VMM; it is killed", uuid, pid)
        _kill(vmm)
        return None
    found = record.Record(uuid, boot_id, vmm.pid, vmm.start_time)
    if record.read(folder) != found:
        complete_record(folder, found)
    return vmm


def complete_record(folder: Path, found: record.Record) -> None:
    """Write down a process that runs. A full disk is no reason to give it up: its lock is enough to find it again."""
    try:
        record.write(folder, found)
    except OSError as error:
        LOG.warning("The VMM record in %s cannot be written: %s", folder, error)


def _is_the_one(uuid: str, socket: Path, vmm: VmmProcess) -> bool:
    try:
        document, listener = client.info(socket, INTRODUCTION)
    except VmmRefused:
        return False  # it has no VM, so there is nothing to keep
    except VmmUnreachable as error:
        LOG.warning("VM %s: its VMM (process %d) does not answer: %s", uuid, vmm.pid, error)
        return not vmm.has_ended()
    return document["config"].get("platform", {}).get("uuid") == uuid and listener == vmm.pid


def _kill_recorded(folder: Path, boot_id: str) -> None:
    """A process that the record names but that has lost its lock (someone removed it) cannot be trusted."""
    known = record.read(folder)
    if known is None or known.boot_id != boot_id or not known.pid:
        return
    vmm = hold(known.pid, known.start_time)
    if vmm is not None:
        LOG.warning("VM %s: process %d runs without its lock; it is killed", known.uuid, known.pid)
        _kill(vmm)


@contextlib.contextmanager
def kept_out(socket: Path) -> Iterator[None]:
    """Keep VMMs away from ``socket``; one that came meanwhile is killed. The lock file is gone afterwards."""
    while True:
        try:
            lock = PathLock(socket, ofd=True)
            break
        except SocketInUse as error:
            vmm = hold(error.pid)
            if vmm is not None:
                LOG.warning("A late VMM (process %d) is killed", vmm.pid)
                _kill(vmm)
    try:
        yield
    finally:
        lock.release()


def kill_strays(instances: Path) -> None:
    """VMMs of this state folder that hold no VM's lock: their folder or their lock file has vanished under them."""
    root = f"{instances}/"
    for pid, arguments in process.command_lines().items():
        if arguments[:2] != ["nova-lite-vmm", "--api-socket"] or len(arguments) < 3:
            continue
        if arguments[2].startswith(root) and lock_holder(Path(arguments[2])) != pid:
            vmm = hold(pid)
            if vmm is not None:
                LOG.warning("Process %d is a VMM that belongs to no VM here; it is killed", pid)
                _kill(vmm)


def _kill(vmm: VmmProcess) -> None:
    try:
        vmm.kill()
    finally:
        vmm.close()
