"""Volume: a disk that outlives servers, in the block store of a host; and its snapshots."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime


@dataclass
class Volume:
    """``size_gb`` in GiB. ``status`` as Cinder has it: creating, available, attaching, in-use, detaching, deleting or
    error. ``image_id``: the image that it was made of, whose kernel servers boot from it; None for an empty one.
    ``image_metadata`` is what that image was then. ``snapshot_id`` and ``source_volid`` say what else it was made of;
    ``said_bootable`` is what a user made of its being bootable.
    """

    uuid: str
    host: str
    project_id: str
    name: str
    size_gb: int
    status: str
    created_at: datetime
    updated_at: datetime
    description: str | None = None
    image_id: str | None = None
    user_id: str | None = None
    metadata: dict[str, str] = field(default_factory=dict)
    image_metadata: dict[str, str] = field(default_factory=dict)
    snapshot_id: str | None = None
    source_volid: str | None = None
    said_bootable: bool | None = None

    @property
    def bootable(self) -> bool:
        """Whether a server can boot from it: its kernel comes from its image."""
        return self.image_id is not None and self.said_bootable is not False

    def policy_target(self) -> dict[str, object]:
        return {"project_id": self.project_id, "user_id": self.user_id}


@dataclass
class VolumeSnapshot:
    """A volume as it was at one moment. ``status``: creating, available, deleting or error."""

    uuid: str
    volume_id: str
    host: str
    project_id: str
    name: str
    size_gb: int
    status: str
    created_at: datetime
    updated_at: datetime
    user_id: str | None = None
    description: str | None = None
    image_id: str | None = None
    image_metadata: dict[str, str] = field(default_factory=dict)
    metadata: dict[str, str] = field(default_factory=dict)

    def policy_target(self) -> dict[str, object]:
        return {"project_id": self.project_id, "user_id": self.user_id}
