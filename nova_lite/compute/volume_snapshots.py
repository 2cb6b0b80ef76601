"""Snapshots of volumes, as controllers see them: a volume as it was at one moment, of which others can be made."""

from __future__ import annotations

import uuid as uuidlib
from typing import Any

from nova_lite import exceptions, objects
from nova_lite.compute.volume_service import VolumeServiceVerbs, visible_snapshot
from nova_lite.compute.volumes import InvalidVolume
from nova_lite.context import RequestContext
from nova_lite.db import volume_snapshots as db_volume_snapshots
from nova_lite.db import volumes as db_volumes
from nova_lite.db.times import now


class VolumeSnapshotVerbs(VolumeServiceVerbs):
    """Made and deleted by the host's agent."""

    def list_volume_snapshots(
        self, context: RequestContext, all_projects: bool = False
    ) -> list[objects.VolumeSnapshot]:
        """The caller's project's, the newest first; ``all_projects`` counts for administrators."""
        everybody = all_projects and context.is_admin
        wanted = {} if everybody else {"project_id": str(context.project_id)}
        with self.database.read() as connection:
            return db_volume_snapshots.list_(connection, self.conf.host, **wanted)[::-1]

    def get_volume_snapshot(self, context: RequestContext, snapshot_id: str) -> objects.VolumeSnapshot:
        """NotFound for one that does not exist or is another project's."""
        with self.database.read() as connection:
            return visible_snapshot(context, db_volume_snapshots.get(connection, snapshot_id), snapshot_id)

    def create_volume_snapshot(
        self,
        context: RequestContext,
        volume_id: str,
        *,
        name: str = "",
        description: str | None = None,
        metadata: dict[str, str] | None = None,
        force: bool = False,
    ) -> objects.VolumeSnapshot:
        """A snapshot of a volume as it is now.

        :param force: also of one that a server uses; its machine stands still for that.
        :raises NotFound: there is no such volume for the caller.
        :raises Invalid: something is done to it.
        :raises TooLarge: over quota.
        """
        self.get_volume(context, volume_id)
        with self.database.write() as connection:
            self.database.lock(connection, f"volumes:{context.project_id}")
            volume = db_volumes.get(connection, volume_id, for_update=True)
            if volume is None:
                raise exceptions.VolumeNotFound(volume_id)
            allowed = ("available", "in-use") if force else ("available",)
            if volume.status not in allowed:
                raise InvalidVolume(
                    f"Volume {volume_id} status must be {' or '.join(allowed)}, but current status is: {volume.status}."
                )
            self._check_volume_quota(connection, context, "snapshots", volume.size_gb)
            at = now()
            snapshot = objects.VolumeSnapshot(
                uuid=str(uuidlib.uuid4()),
                volume_id=volume_id,
                host=volume.host,
                project_id=volume.project_id,
                user_id=context.user_id,
                name=name,
                description=description,
                size_gb=volume.size_gb,
                status="creating",
                image_id=volume.image_id,
                image_metadata=dict(volume.image_metadata),
                metadata=dict(metadata or {}),
                created_at=at,
                updated_at=at,
            )
            db_volume_snapshots.insert(connection, snapshot)
        self._poke(volume.host)
        return snapshot

    def update_volume_snapshot(
        self, context: RequestContext, snapshot: objects.VolumeSnapshot, **said: Any
    ) -> objects.VolumeSnapshot:
        """Change ``name``, ``description``, ``metadata``, ``status``. NotFound if it has gone meanwhile."""
        with self.database.write() as connection:
            current = db_volume_snapshots.get(connection, snapshot.uuid, for_update=True)
            if current is None:
                raise exceptions.NotFound(f"Snapshot {snapshot.uuid} could not be found.")
            db_volume_snapshots.update(connection, snapshot.uuid, **said)
            for name, value in said.items():
                setattr(current, name, value)
        return current

    def delete_volume_snapshot(self, context: RequestContext, snapshot: objects.VolumeSnapshot) -> None:
        """Volumes that were made of it have no need of it. Invalid while it is being made."""
        with self.database.write() as connection:
            current = db_volume_snapshots.get(connection, snapshot.uuid, for_update=True)
            if current is None:
                raise exceptions.NotFound(f"Snapshot {snapshot.uuid} could not be found.")
            if current.status not in ("available", "error", "deleting"):
                raise exceptions.Invalid("Invalid snapshot: Volume Snapshot status must be available or error.")
            db_volume_snapshots.update(connection, snapshot.uuid, status="deleting")
        self._poke(snapshot.host)
