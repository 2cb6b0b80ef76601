"""The whole contract between the agent and a hypervisor.

Every verb is idempotent: run again after a crash at any point, it ends in the same state. A driver holds no database
and knows no API; it is told what to run (``MachineSpec``) and answers what runs (``MachineInfo``).
"""

from __future__ import annotations

import abc
import enum
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path


class PowerState(enum.IntEnum):
    """Nova's numbers (nova/compute/power_state.py)."""

    NOSTATE = 0
    RUNNING = 1
    PAUSED = 3
    SHUTDOWN = 4
    CRASHED = 6


@dataclass(frozen=True)
class NicSpec:
    """A network card on a persistent tap of the host, which is set up and has a virtio-net header (IFF_VNET_HDR).

    ``id``: at most 31 characters, names it in the counters; ``mac``: six bytes in hexadecimal with colons; ``mtu`` 0:
    the guest is not told. ``queue_pairs`` above 1 need a tap of several queues (IFF_MULTI_QUEUE), 1 one without.
    """

    id: str
    tap: str
    mac: str
    mtu: int = 0
    queue_pairs: int = 1


@dataclass(frozen=True)
class DiskSpec:
    """A disk of ``size`` bytes, as the guest sees it at its place in the order of disks.

    ``format`` ``overlay``: the server's own file at ``path`` over ``backing``, a raw image that is only read (None:
    over zeros). The driver makes it in ``prepare`` when it is not there, beginning with ``head`` (at most 4096 bytes)
    if that is not empty, and removes it with the machine's folder. ``raw``: a file or block device that is there
    already and belongs to somebody else. ``device_name``: ``vda``, for names and messages. ``serial``: at most 20
    characters.
    """

    device_name: str
    path: Path
    size: int
    format: str = "overlay"
    backing: Path | None = None
    readonly: bool = False
    serial: str = ""
    boot_index: int | None = None
    head: bytes = b""


@dataclass(frozen=True)
class MachineSpec:
    """What to run. ``memory_mb`` in MiB; ``kernel`` and ``initramfs`` absolute paths; ``kernel_format`` flat16, elf64,
    pvh or bzimage.
    """

    uuid: str
    name: str
    vcpus: int
    memory_mb: int
    kernel: Path
    kernel_format: str
    cmdline: str = ""
    initramfs: Path | None = None
    nics: tuple[NicSpec, ...] = ()
    disks: tuple[DiskSpec, ...] = ()


@dataclass(frozen=True)
class MachineInfo:
    """What runs. ``pid`` and ``start_time`` (field 22 of /proc/pid/stat) identify the VMM process; both 0 when none."""

    uuid: str
    power_state: PowerState
    pid: int = 0
    start_time: int = 0
    memory_mb: int = 0
    vcpus: int = 0
    detail: str = ""


@dataclass(frozen=True)
class MachineEvent:
    """Something that happened without being asked for.

    ``kind``: ``shutdown`` (guest powered itself off), ``reset`` (guest rebooted itself), ``crashed`` (triple fault, a
    panic that the guest's kernel reported, or an error of KVM; ``detail`` says which, with rip and instruction bytes
    where they are known), ``gone`` (the VMM process died), ``device_removed`` (it has let go of the disk or card
    ``detail``).
    """

    uuid: str
    kind: str
    detail: str = ""


class DriverError(Exception):
    """The hypervisor could not do it. ``str(error)`` is a sentence that a user of the API may read."""


class MachineNotFound(DriverError):
    """No VM of that uuid runs here."""


@dataclass
class Capabilities:
    """What the host offers. ``kvm_kind`` is kvm-intel, kvm-amd, kvm-pvm or none."""

    hypervisor_type: str
    hypervisor_version: int
    kvm_kind: str
    vcpus: int
    memory_mb: int
    local_gb: int
    cpu_info: dict[str, object] = field(default_factory=dict)


class Driver(abc.ABC):
    """A hypervisor. Methods may be called from several threads, for different uuids at the same time.

    ``makes_disks``: whether ``prepare`` makes the files of VMs' own disks.
    """

    makes_disks = True

    @abc.abstractmethod
    def start(self, on_event: Callable[[MachineEvent], None]) -> None:
        """Get ready (zygote), re-adopt the VMs that run here and begin to watch them.

        ``on_event`` is called from a thread of the driver.
        """

    @abc.abstractmethod
    def close(self) -> None:
        """Let go of everything but the VMs, which go on."""

    @abc.abstractmethod
    def capabilities(self) -> Capabilities: ...

    @abc.abstractmethod
    def list(self) -> list[MachineInfo]:
        """Every VM of ours on this host, adopted or not."""

    @abc.abstractmethod
    def prepare(self, spec: MachineSpec) -> None:
        """Make the VM's folder, console log and those of its own disks that are not there. No process yet. Raises
        DriverError when kernel, initramfs or command line is unusable, or a disk cannot be made."""

    @abc.abstractmethod
    def power_on(self, spec: MachineSpec) -> MachineInfo:
        """Start the VMM and boot the guest; nothing to do when it runs already. A disk that is missing is an error:
        what a server wrote is never replaced by an empty disk."""

    @abc.abstractmethod
    def power_off(self, uuid: str) -> None:
        """End the VMM process; nothing to do when none runs. The folder and the console log stay."""

    @abc.abstractmethod
    def reboot(self, spec: MachineSpec, hard: bool) -> MachineInfo:
        """Soft: the VMM resets the machine. Hard: a new VMM process. Ends running in both cases."""

    @abc.abstractmethod
    def press_power_button(self, uuid: str) -> None:
        """Ask the guest to power itself off; whether and when it does, its event tells. Raises DriverError when no
        guest runs that could be asked."""

    @abc.abstractmethod
    def send_nmi(self, uuid: str) -> None:
        """Send a non-maskable interrupt to every virtual CPU. Raises DriverError when no guest runs."""

    @abc.abstractmethod
    def pause(self, uuid: str) -> None: ...

    @abc.abstractmethod
    def resume(self, uuid: str) -> None: ...

    @abc.abstractmethod
    def suspend(self, uuid: str) -> None:
        """Save the machine of a VM, running or paused, on disk and end its process; nothing to do when that was done.
        When it cannot be saved it runs on. ``power_on``, ``power_off`` and a hard reboot forget what was saved."""

    @abc.abstractmethod
    def restore(self, spec: MachineSpec) -> MachineInfo:
        """Let a suspended VM go on where it was saved; nothing to do when it runs. Cards and disks must be those that
        it had."""

    @abc.abstractmethod
    def attach_disk(self, uuid: str, disk: DiskSpec) -> None:
        """Plug a disk into a VM that runs or is paused; nothing to do when none does, or when it has the disk."""

    @abc.abstractmethod
    def detach_disk(self, uuid: str, device_name: str, seconds: float) -> bool:
        """Ask the guest of a VM that is on to let go of a disk and wait so long; whether no VM has it any more."""

    @abc.abstractmethod
    def log_disk(self, uuid: str, device_name: str, on: bool) -> int:
        """Take note of what is written to a disk of a VM that is on, or no more; the size of its parts in bytes. Raises
        DriverError also where no note can be taken."""

    @abc.abstractmethod
    def written_parts(self, uuid: str, device_name: str) -> bytes:
        """The parts of a disk that were written since this was asked last, a bit for each, the first in the lowest of
        the first byte. Raises DriverError when no note is taken (any more)."""

    @abc.abstractmethod
    def remove_disk(self, uuid: str, disk: DiskSpec) -> None:
        """Remove one of the own disks of a VM that is off, with all that was written to it."""

    @abc.abstractmethod
    def resize_disks(self, spec: MachineSpec) -> None:
        """Put the own disks of a VM that is off aside, for ``restore_disks``, and make those that ``spec`` has: each of
        its new size with what was on the old one of that name. Raises DriverError, then some are made."""

    @abc.abstractmethod
    def restore_disks(self, uuid: str) -> None:
        """What ``resize_disks`` put aside takes the place of what it made; nothing to do when nothing is put aside."""

    @abc.abstractmethod
    def forget_disks(self, uuid: str) -> None:
        """Remove what ``resize_disks`` put aside."""

    @abc.abstractmethod
    def attach_nic(self, uuid: str, nic: NicSpec) -> bool:
        """Plug a card into a VM that runs or is paused; whether it has it. False where none does, and while it has an
        old card of that name which its guest does not let go of: then it gets this one when it is started next."""

    @abc.abstractmethod
    def detach_nic(self, uuid: str, nic_id: str, seconds: float) -> bool:
        """As ``detach_disk``, for a card."""

    @abc.abstractmethod
    def destroy(self, uuid: str) -> None:
        """power_off, then remove everything that belongs to the VM on this host."""

    @abc.abstractmethod
    def info(self, uuid: str) -> MachineInfo:
        """The VM's state now; SHUTDOWN with pid 0 when no process runs, MachineNotFound when nothing is known."""

    @abc.abstractmethod
    def counters(self, uuid: str) -> dict[str, dict[str, int]]: ...

    @abc.abstractmethod
    def console_output(self, uuid: str, max_bytes: int) -> bytes:
        """The last ``max_bytes`` of the console log; empty when there is none yet."""
