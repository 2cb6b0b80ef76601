"""Where things lie below ``state_path``."""

from __future__ import annotations

import os
from pathlib import Path


class Paths:
    """UNIX socket paths end at 107 bytes: keep state_path short."""

    def __init__(self, state_path: str | os.PathLike[str]) -> None:
        self.state = Path(state_path)
        self.database = self.state / "nova-lite.db"
        self.images = self.state / "images"
        self.instances = self.state / "instances"
        self.volumes = self.state / "volumes"
        self.run = self.state / "run"
        self.agent_socket = self.run / "agent.sock"
        self.events_socket = self.run / "events.sock"
        self.doorbell = self.run / "changes.sock"  # datagrams: there are new rows in the table of that name
        self.tokens = self.state / "tokens.yaml"
        self.fernet_keys = self.state / "fernet.keys"
        self.policy = self.state / "policy.yaml"
        self.clouds = self.state / "clouds.yaml"

    def instance(self, uuid: str) -> Path:
        return self.instances / uuid

    def vmm_socket(self, uuid: str) -> Path:
        return self.instances / uuid / "vmm.sock"

    def serial_socket(self, uuid: str) -> Path:
        return self.instances / uuid / "serial.sock"

    def console_log(self, uuid: str) -> Path:
        return self.instances / uuid / "console.log"

    def disk(self, uuid: str, device_name: str) -> Path:
        """Where a server keeps what it wrote to a disk of its own; ``device_name`` as ``vda``."""
        return self.disks(uuid) / f"{device_name}.overlay"

    def disks(self, uuid: str) -> Path:
        """Folder of the disks of a server's own."""
        return self.instances / uuid / "disks"

    def saved_machine(self, uuid: str) -> Path:
        """Folder with memory and devices of a suspended server."""
        return self.instances / uuid / "suspended"

    def config_drive(self, uuid: str) -> Path:
        return self.instances / uuid / "disk.config"

    def boot(self, uuid: str) -> Path:
        """Kernel, initramfs and command line that were found on a server's disk when it was last started."""
        return self.instances / uuid / "boot"

    def volume(self, uuid: str) -> Path:
        return self.volumes / f"{uuid}.raw"

    def volume_snapshot(self, uuid: str) -> Path:
        return self.volumes / f"{uuid}.snapshot"

    def make(self) -> None:
        """Create the folders, readable by the owner only."""
        for folder in (self.state, self.images, self.instances, self.volumes, self.run):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
