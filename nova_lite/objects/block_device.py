"""BlockDevice: a disk of a server, as it was asked for or follows from its flavor."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class BlockDevice:
    """One row of Nova's block device mapping.

    ``source_type``: ``image``, ``blank``, ``volume`` or ``snapshot``; ``destination_type``: ``local`` (a file of this
    server alone) or ``volume``. ``guest_format``: ``swap`` for a swap disk. ``device_name``: as the guest names it,
    ``/dev/vda``; "" until it is given its place. ``boot_index``: 0 is the root disk, -1 is not booted from. ``size`` in
    bytes. ``attachment_id``: of a volume that is attached. ``snapshot_id``: what a volume is to be
    made of.
    """

    uuid: str
    source_type: str
    destination_type: str
    size: int
    boot_index: int = -1
    device_name: str = ""
    guest_format: str | None = None
    image_id: str | None = None
    delete_on_termination: bool = True
    tag: str | None = None
    volume_id: str | None = None
    attachment_id: str | None = None
    instance_uuid: str = ""
    snapshot_id: str | None = None

    @property
    def is_swap(self) -> bool:
        return self.source_type == "blank" and self.destination_type == "local" and self.guest_format == "swap"

    @property
    def is_ephemeral(self) -> bool:
        return self.source_type == "blank" and self.destination_type == "local" and self.guest_format != "swap"

    @property
    def serial(self) -> str:
        """The number that the guest's kernel shows (at most 20 characters)."""
        return self.uuid.replace("-", "")[:20]
