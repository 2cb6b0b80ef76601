"""Instance: one server, as the database holds it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from nova_lite.objects.flavor import Flavor


@dataclass
class Fault:
    """Why the last operation failed. ``details`` (a trace) is for administrators only."""

    code: int
    message: str
    created: datetime
    details: str | None = None


@dataclass
class Instance:
    """States are Nova's: ``vm_state`` (active, building, stopped, paused, error, deleted ...),
    ``task_state`` (None when idle), ``power_state`` (0 NOSTATE, 1 RUNNING, 3 PAUSED, 4 SHUTDOWN, 6 CRASHED).

    All times are aware datetimes in UTC. ``flavor`` is the flavor as it was at boot. ``host`` is "" for a server that
    no host could take. ``keypair`` is the key as it was then: {"name", "type", "public_key"}; ``injected_files`` has
    {"path", "contents" (base64)} of each file that is to be put into the guest. ``system_metadata`` is what the service
    notes for itself (``shelved_at``, ``shelved_image_id``, ``password``, ``deleted_at``; ``old_flavor`` and more while
    it is resized; ``rescue_image_ref``).
    """

    uuid: str
    project_id: str
    user_id: str
    display_name: str
    hostname: str
    flavor: Flavor
    image_ref: str
    host: str
    vm_state: str = "building"
    task_state: str | None = None
    power_state: int = 0
    created_at: datetime | None = None
    updated_at: datetime | None = None
    launched_at: datetime | None = None
    terminated_at: datetime | None = None
    deleted: bool = False
    display_description: str | None = None
    metadata: dict[str, str] = field(default_factory=dict)
    tags: list[str] = field(default_factory=list)
    image_properties: dict[str, str] = field(default_factory=dict)
    key_name: str | None = None
    availability_zone: str = "nova"
    pinned_availability_zone: str | None = None
    config_drive: bool = False
    user_data: str | None = None
    keypair: dict[str, str] | None = None
    injected_files: list[dict[str, str]] = field(default_factory=list)
    access_ip_v4: str | None = None
    access_ip_v6: str | None = None
    disk_config: str = "MANUAL"
    locked: bool = False
    locked_by: str | None = None
    locked_reason: str | None = None
    reservation_id: str = ""
    launch_index: int = 0
    progress: int = 0
    root_device_name: str | None = None
    kernel_id: str = ""
    ramdisk_id: str = ""
    scheduler_hints: dict[str, object] = field(default_factory=dict)
    system_metadata: dict[str, Any] = field(default_factory=dict)
    trusted_image_certificates: list[str] | None = None
    fault: Fault | None = None
    id: int = 0

    def policy_target(self) -> dict[str, object]:
        return {"project_id": self.project_id, "user_id": self.user_id}
