"""The fake hypervisor with its VMs in files, as the tests of durability need it; some kernels do not work on it."""

from __future__ import annotations

from pathlib import Path

from nova_lite.hv import resized_disks, server_disks
from nova_lite.hv.driver import DiskSpec, DriverError, MachineInfo, MachineNotFound, MachineSpec
from nova_lite.hv.fake import FakeDriver

CRASH = "triple fault at rip 0x1000"


class DiskDriver(FakeDriver):
    """A kernel that begins with ``bad`` is refused; one that begins with ``nostart`` is refused at boot."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.root = root

    def prepare(self, spec: MachineSpec) -> None:
        if spec.kernel.read_bytes().startswith(b"bad"):
            raise DriverError(f"The kernel {spec.kernel.name} cannot be booted: it is no kernel.")
        super().prepare(spec)

    def power_on(self, spec: MachineSpec) -> MachineInfo:
        if spec.kernel.read_bytes().startswith(b"nostart"):
            raise DriverError("The guest cannot be started: no memory is left on the host.")
        return super().power_on(spec)

    def guest(self, uuid: str, kind: str) -> None:
        """The guest powers itself off (``shutdown``), crashes or reboots (``reset``), or its VM dies (``gone``)."""
        self.fire(uuid, kind, CRASH if kind == "crashed" else "")

    def boots(self, uuid: str) -> int:
        """How often it was booted."""
        return self.console_output(uuid, 1 << 20).count(b"boot ")

    def _print_banner(self, spec: MachineSpec) -> None:
        self.write_console(spec.uuid, f"boot {self.boots(spec.uuid) + 1}\n".encode())

    def exists(self, uuid: str) -> bool:
        try:
            self.info(uuid)
        except MachineNotFound:
            return False
        return True


class DriverWithDisks(DiskDriver):
    """One that makes the disks, as tests want that write to them."""

    def prepare(self, spec: MachineSpec) -> None:
        for disk in spec.disks:
            disk.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            server_disks.make(disk)
        super().prepare(spec)

    def power_on(self, spec: MachineSpec) -> MachineInfo:
        for disk in spec.disks:
            server_disks.check(disk)
        return super().power_on(spec)

    def remove_disk(self, uuid: str, disk: DiskSpec) -> None:
        super().remove_disk(uuid, disk)
        server_disks.remove(disk)

    def resize_disks(self, spec: MachineSpec) -> None:
        super().resize_disks(spec)
        resized_disks.resize(self._disks(spec.uuid), spec.disks)

    def restore_disks(self, uuid: str) -> None:
        super().restore_disks(uuid)
        resized_disks.restore(self._disks(uuid))

    def forget_disks(self, uuid: str) -> None:
        super().forget_disks(uuid)
        resized_disks.forget(self._disks(uuid))

    def _disks(self, uuid: str) -> Path:
        return self.root.parent / "instances" / uuid / "disks"
