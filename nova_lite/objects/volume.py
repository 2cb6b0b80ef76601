"""Volume: a disk that outlives servers, in the block store of a host."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass
class Volume:
    """``size_gb`` in GiB. ``status`` as Cinder has it: creating, available, attaching, in-use, detaching, deleting or
    error. ``image_id``: the image that it was made of, which makes it bootable; None for an empty one.
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

    @property
    def bootable(self) -> bool:
        """Whether a server can boot from it: its kernel comes from its image."""
        return self.image_id is not None
