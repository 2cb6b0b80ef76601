"""A kvm driver of a test's own, with the state folder that it works on."""

from __future__ import annotations

import queue
import uuid
from pathlib import Path

from nova_lite.hv.driver import MachineEvent, MachineSpec
from nova_lite.hv.kvm import KvmDriver
from nova_lite.hv.vmm import process
from nova_lite.paths import Paths
from tests.kvm.vmm_process import COUNTING, INTERACTIVE, PATIENCE


class Host:
    """A state folder, the driver that works on it now, and the events it reported."""

    def __init__(self, state: Path) -> None:
        self.paths = Paths(state)
        self.events: queue.Queue[MachineEvent] = queue.Queue()
        self.driver = self.new_driver()

    def new_driver(self) -> KvmDriver:
        driver = KvmDriver(self.paths, 65536)
        driver.start(self.events.put)
        return driver

    def replace_driver(self) -> None:
        """What a restart of the agent does."""
        self.driver.close()
        self.driver = self.new_driver()

    def event(self) -> MachineEvent:
        return self.events.get(timeout=PATIENCE)

    def spec(self, kernel: Path = COUNTING, **more: object) -> MachineSpec:
        fields = {"name": "vm", "vcpus": 1, "memory_mb": 16, "kernel_format": "flat16"} | more
        if kernel == INTERACTIVE:
            fields["kernel_format"] = "elf64"
        return MachineSpec(uuid=str(uuid.uuid4()), kernel=kernel, **fields)  # type: ignore[arg-type]

    def vmms(self) -> list[int]:
        """Every VMM process of this state folder, by its command line."""
        root = str(self.paths.instances)
        lines = process.command_lines().items()
        return [pid for pid, args in lines if args[0] == "nova-lite-vmm" and args[2].startswith(root)]
