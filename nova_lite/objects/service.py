"""Service and Hypervisor: what runs on the host, and the host itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from nova_lite.objects.ownerless import Ownerless


@dataclass
class Service(Ownerless):
    """A service record with its heartbeat. ``state`` is up or down, computed from ``last_seen_up``."""

    id: int
    uuid: str
    binary: str
    host: str
    zone: str
    disabled: bool = False
    disabled_reason: str | None = None
    forced_down: bool = False
    state: str = "up"
    updated_at: datetime | None = None


@dataclass
class Hypervisor(Ownerless):
    """The host's capacity and use. Memory in MiB, disk in GiB. ``cpu_info`` as Nova's object.

    ``disk_available_least`` is what is free on its disk in truth; disks of servers take what is written to them.
    """

    id: int
    uuid: str
    hypervisor_hostname: str
    hypervisor_type: str
    hypervisor_version: int
    host_ip: str
    vcpus: int
    vcpus_used: int
    memory_mb: int
    memory_mb_used: int
    local_gb: int
    local_gb_used: int
    disk_available_least: int | None
    running_vms: int
    current_workload: int
    cpu_info: dict[str, object] = field(default_factory=dict)
    uptime: str | None = None
    service: Service | None = None
    servers: list[tuple[str, str]] = field(default_factory=list)  # (uuid, name)
