"""Volumes as a service to their projects: what the Volume service and Nova's proxy of it do.

A new volume is ``creating`` until the host's agent has made its file; one that goes is ``deleting``.
"""

from __future__ import annotations

import uuid as uuidlib
from dataclasses import dataclass
from typing import Any

from oslo_config import cfg

from nova_lite import conf as conf_module
from nova_lite import exceptions, objects
from nova_lite.compute.accepting import AcceptingVerbs
from nova_lite.compute.images import ImageStore
from nova_lite.compute.volumes import InvalidVolume
from nova_lite.context import RequestContext
from nova_lite.db import images as db_images
from nova_lite.db import volume_snapshots as db_volume_snapshots
from nova_lite.db import volumes as db_volumes
from nova_lite.db.engine import Connection
from nova_lite.db.times import now
from nova_lite.volumes.store import VolumeStore, check_size, needed_gb


@dataclass(frozen=True)
class VolumeAttachment:
    """Which server has a volume, as which device."""

    attachment_id: str
    volume_id: str
    server_id: str
    device: str


class VolumeServiceVerbs(AcceptingVerbs):
    """Volumes themselves; their snapshots are in volume_snapshots.py, what servers do with them in volumes.py."""

    conf: cfg.ConfigOpts

    @property
    def volume_store(self) -> VolumeStore:
        """The block store of this host."""
        paths = conf_module.paths(self.conf)
        return VolumeStore(self.database, paths, ImageStore(self.database, paths, self.conf.host), self.conf.host)

    def list_volumes(self, context: RequestContext, all_projects: bool = False) -> list[objects.Volume]:
        """The caller's project's volumes, the newest first; ``all_projects`` counts for administrators."""
        project = None if all_projects and context.is_admin else context.project_id
        with self.database.read() as connection:
            return db_volumes.list_(connection, self.conf.host, project)[::-1]

    def get_volume(self, context: RequestContext, volume_id: str) -> objects.Volume:
        """NotFound for one that does not exist or is another project's."""
        with self.database.read() as connection:
            return _visible(context, db_volumes.get(connection, volume_id), volume_id)

    def attachments_of(self, volumes: list[objects.Volume]) -> dict[str, VolumeAttachment]:
        """By volume: the server that has it."""
        with self.database.read() as connection:
            found = db_volumes.attachments(connection, [volume.uuid for volume in volumes])
        return {
            volume_id: VolumeAttachment(row.attachment_id, volume_id, row.instance_uuid, row.device_name)
            for volume_id, row in found.items()
        }

    def create_volume(
        self,
        context: RequestContext,
        *,
        size_gb: int | None,
        name: str = "",
        description: str | None = None,
        metadata: dict[str, str] | None = None,
        image_id: str | None = None,
        snapshot_id: str | None = None,
        source_id: str | None = None,
    ) -> objects.Volume:
        """A new volume, empty or with what an image, a snapshot or another volume holds.

        :param size_gb: GiB; None where it is made of a snapshot or volume: as large as that.
        :raises Invalid: a size that cannot be, two sources, a source that is not ready.
        :raises NotFound: there is no such source for the caller.
        :raises TooLarge: over quota.
        """
        if sum(source is not None for source in (image_id, snapshot_id, source_id)) > 1:
            raise exceptions.Invalid("A volume is made of one image, snapshot or volume.")
        with self.database.write() as connection:
            self.database.lock(connection, f"volumes:{context.project_id}")
            volume = self._wished(connection, context, size_gb, image_id, snapshot_id, source_id)
            volume.name, volume.description, volume.metadata = name, description, dict(metadata or {})
            self._check_volume_quota(connection, context, "volumes", volume.size_gb)
            db_volumes.insert(connection, volume)
        self._poke(volume.host)
        return volume

    def _wished(
        self,
        connection: Connection,
        context: RequestContext,
        size_gb: int | None,
        image_id: str | None,
        snapshot_id: str | None,
        source_id: str | None,
    ) -> objects.Volume:
        source: objects.Volume | objects.VolumeSnapshot | None = None
        if snapshot_id is not None:
            source = visible_snapshot(context, db_volume_snapshots.get(connection, snapshot_id), snapshot_id)
            if source.status != "available":
                raise exceptions.Invalid(f"Invalid snapshot: Originating snapshot status must be one of 'available'"
                                         f" values, not {source.status}.")  # fmt: skip
        elif source_id is not None:
            source = _visible(context, db_volumes.get(connection, source_id, for_update=True), source_id)
            if source.status not in ("available", "in-use"):
                raise InvalidVolume(f"Unable to create a volume from originating source volume {source_id}: it is "
                                    f"{source.status}.")  # fmt: skip
        image = self._usable_image_of_volume(connection, context, image_id) if image_id is not None else None
        least = source.size_gb if source is not None else max(needed_gb(image), image.min_disk) if image else 1
        size = least if size_gb is None and source is not None else int(size_gb or 0)
        check_size(size, image)
        if source is not None and size < source.size_gb:
            what = "snapshot" if snapshot_id else "volume"
            raise exceptions.Invalid(
                f"Invalid input received: Volume size {size}GB cannot be smaller than the {what}'s {source.size_gb}GB."
            )
        at = now()
        return objects.Volume(
            uuid=str(uuidlib.uuid4()),
            host=self.conf.host,
            project_id=str(context.project_id),
            user_id=context.user_id,
            name="",
            size_gb=size,
            status="creating",
            created_at=at,
            updated_at=at,
            image_id=source.image_id if source is not None else image_id,
            image_metadata=_of_image(image) if image is not None else dict(source.image_metadata) if source else {},
            snapshot_id=snapshot_id,
            source_volid=source_id,
        )

    def _usable_image_of_volume(
        self, connection: Connection, context: RequestContext, image_id: str
    ) -> objects.Image:
        self.database.lock(connection, f"image:{image_id}")  # it is not removed before this volume holds on to it
        image = db_images.get(connection, image_id)
        if image is None or image.status == db_images.DELETED or not image.seen_by(
            context.project_id, bool(context.is_admin)
        ):
            raise exceptions.Invalid("Invalid image identifier or unable to access requested image.")
        if image.status != "active":
            raise exceptions.Invalid(f"Invalid input received: Image {image_id} is not active.")
        if image.disk is None:
            raise exceptions.Invalid(f"Invalid input received: Image {image_id} has no disk.")
        return image

    def _check_volume_quota(self, connection: Connection, context: RequestContext, what: str, size_gb: int) -> None:
        """:raises TooLarge: as Cinder, which has a limit for the number and one for the size of all."""
        used = volume_usage(connection, self.conf.host, str(context.project_id))
        quota = self.conf.quota
        if 0 <= quota[what] < used[what] + 1:
            kind = "VolumeLimitExceeded" if what == "volumes" else "SnapshotLimitExceeded"
            raise exceptions.TooLarge(
                f"{kind}: Maximum number of {what} allowed ({quota[what]}) exceeded for quota '{what}'."
            )
        if 0 <= quota.gigabytes < used["gigabytes"] + size_gb:
            raise exceptions.TooLarge(
                f"VolumeSizeExceedsAvailableQuota: Requested volume or snapshot exceeds allowed gigabytes quota. "
                f"Requested {size_gb}G, quota is {quota.gigabytes}G and {used['gigabytes']}G has been consumed."
            )

    def volume_quota(self, context: RequestContext, project_id: str | None = None) -> dict[str, tuple[int, int]]:
        """By ``volumes``, ``snapshots``, ``gigabytes``: the limit (-1: none) and what a project has."""
        with self.database.read() as connection:
            used = volume_usage(connection, self.conf.host, project_id or str(context.project_id))
        return {name: (self.conf.quota[name], used[name]) for name in ("volumes", "snapshots", "gigabytes")}

    def update_volume(self, context: RequestContext, volume: objects.Volume, **said: Any) -> objects.Volume:
        """Change ``name``, ``description``, ``metadata``, ``image_metadata``, ``said_bootable``. NotFound if it has
        gone meanwhile."""
        with self.database.write() as connection:
            current = _held(connection, volume.uuid)
            db_volumes.update(connection, volume.uuid, **said)
            for name, value in said.items():
                setattr(current, name, value)
        return current

    def set_volume_status(self, context: RequestContext, volume: objects.Volume, status: str) -> None:
        """What an administrator says that it is, where that is not so."""
        self.update_volume(context, volume, status=status)

    def extend_volume(self, context: RequestContext, volume: objects.Volume, size_gb: int) -> None:
        """Make a volume larger that no server has. Invalid when one has it, or it is not larger."""
        if volume.status != "available":
            raise InvalidVolume(
                f"Volume {volume.uuid} status must be available to extend, current status is {volume.status}."
            )
        if size_gb <= volume.size_gb:
            raise exceptions.Invalid(
                f"Invalid input received: New size for extend must be greater than current size. "
                f"(current: {volume.size_gb}, extended: {size_gb})."
            )
        with self.database.read() as connection:
            used = volume_usage(connection, self.conf.host, volume.project_id)["gigabytes"]
        if 0 <= self.conf.quota.gigabytes < used + size_gb - volume.size_gb:
            raise exceptions.TooLarge("VolumeSizeExceedsAvailableQuota: Requested volume exceeds gigabytes quota.")
        self.volume_store.extend(volume.uuid, size_gb)

    def delete_volume(
        self, context: RequestContext, volume: objects.Volume, cascade: bool = False, force: bool = False
    ) -> None:
        """Delete a volume that no server has.

        :param cascade: with its snapshots.
        :param force: whatever its status says.
        :raises Invalid: a server has it, something is done to it, or it has snapshots.
        """
        with self.database.write() as connection:
            current = _held(connection, volume.uuid)
            attached = bool(db_volumes.attachments(connection, [volume.uuid]))
            snapshots = db_volume_snapshots.list_(connection, current.host, volume_id=volume.uuid)
            free = current.status in ("available", "error", "deleting") or force
            if attached or not free or (snapshots and not cascade):
                raise InvalidVolume(
                    "Volume status must be available or error or error_restoring or error_extending or error_managing "
                    "and must not be migrating, attached, belong to a group, have snapshots, awaiting a transfer, or "
                    "be disassociated from snapshots after volume transfer."
                )
            for snapshot in snapshots:
                db_volume_snapshots.update(connection, snapshot.uuid, status="deleting")
            db_volumes.update(connection, volume.uuid, status="deleting")
        self._poke(volume.host)


def volume_usage(connection: Connection, host: str, project_id: str) -> dict[str, int]:
    """What a project has: {"volumes", "snapshots", "gigabytes"}."""
    volumes = db_volumes.list_(connection, host, project_id)
    snapshots = db_volume_snapshots.list_(connection, host, project_id=project_id)
    gigabytes = sum(volume.size_gb for volume in volumes) + sum(snapshot.size_gb for snapshot in snapshots)
    return {"volumes": len(volumes), "snapshots": len(snapshots), "gigabytes": gigabytes}


def visible_snapshot(
    context: RequestContext, snapshot: objects.VolumeSnapshot | None, snapshot_id: str
) -> objects.VolumeSnapshot:
    """NotFound for one that does not exist or is another project's."""
    if snapshot is None or not (context.is_admin or snapshot.project_id == context.project_id):
        raise exceptions.NotFound(f"Snapshot {snapshot_id} could not be found.")
    return snapshot


def _visible(context: RequestContext, volume: objects.Volume | None, volume_id: str) -> objects.Volume:
    if volume is None or not (context.is_admin or volume.project_id == context.project_id):
        raise exceptions.VolumeNotFound(volume_id)
    return volume


def _held(connection: Connection, volume_id: str) -> objects.Volume:
    volume = db_volumes.get(connection, volume_id, for_update=True)
    if volume is None:
        raise exceptions.VolumeNotFound(volume_id)
    return volume


def _of_image(image: objects.Image) -> dict[str, str]:
    """``volume_image_metadata``: what the image was when the volume was made."""
    facts = {
        "image_id": image.id,
        "image_name": image.name,
        "checksum": image.checksum,
        "container_format": image.container_format,
        "disk_format": image.disk_format,
        "min_disk": image.min_disk,
        "min_ram": image.min_ram,
        "size": image.size,
    }
    return dict(image.properties) | {name: str(value) for name, value in facts.items() if value is not None}
