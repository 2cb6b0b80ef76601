"""Aggregate: hosts that an administrator puts together, perhaps as an availability zone."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from nova_lite.objects.ownerless import Ownerless

ZONE = "availability_zone"  # the metadata key that makes it one


@dataclass
class Aggregate(Ownerless):
    """``metadata`` with the key ``availability_zone`` makes the hosts that zone. ``updated_at`` None: never changed."""

    id: int
    uuid: str
    name: str
    created_at: datetime
    updated_at: datetime | None = None
    metadata: dict[str, str] = field(default_factory=dict)
    hosts: list[str] = field(default_factory=list)

    @property
    def availability_zone(self) -> str | None:
        return self.metadata.get(ZONE)
