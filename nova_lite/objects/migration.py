"""Migration: the record of a resize, or of a server's way to another host."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass
class Migration:
    """``migration_type``: ``resize``, ``migration``, ``live-migration`` or ``evacuation``. ``status`` as in Nova: a
    resize goes ``pre-migrating``, ``migrating``, ``finished``, ``confirming``, ``confirmed`` or ``reverting``,
    ``reverted``; ``error`` is where it could not be. ``source_compute`` and ``dest_compute`` are hosts, ``dest_host``
    is the address of the latter; None where no host was found. Flavors are given by their rows' ids.
    """

    uuid: str
    instance_uuid: str
    migration_type: str
    status: str
    source_compute: str
    dest_compute: str | None
    dest_host: str | None
    old_flavor_id: int | None
    new_flavor_id: int | None
    user_id: str | None
    project_id: str | None
    created_at: datetime
    updated_at: datetime
    id: int = 0
