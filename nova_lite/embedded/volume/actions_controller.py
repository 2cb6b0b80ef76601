"""Actions on volumes and snapshots: POST …/action."""

from __future__ import annotations

from typing import Any, TypedDict

from nova_lite import exceptions, objects
from nova_lite.api import validation, wsgi
from nova_lite.embedded.volume.volumes_controller import FORMATS

_VOLUME, _SNAPSHOT = "/volumes/{volume_id}/action", "/snapshots/{snapshot_id}/action"
#: What an administrator can say that a volume is.
_STATUSES = ("creating", "available", "deleting", "error", "error_deleting", "in-use", "attaching", "detaching")


class ExtendParams(TypedDict, total=False):
    new_size: int


class BootableParams(TypedDict, total=False):
    bootable: bool


class ReadOnlyParams(TypedDict, total=False):
    readonly: bool


class StatusParams(TypedDict, total=False):
    status: str | None
    attach_status: str | None


class SnapshotStatusParams(TypedDict, total=False):
    status: str


class ImageMetadataParams(TypedDict, total=False):
    metadata: dict[str, str]


class KeyParams(TypedDict, total=False):
    key: str


class VolumeActionsController(wsgi.Controller):
    resource = "formats"
    resource_obj_cls = objects.Volume

    @wsgi.action("os-extend", path=_VOLUME, v3_path=_VOLUME, policy="volume:extend")
    @wsgi.version(base="3.0")
    @wsgi.response(202)
    @wsgi.expected_errors(400, 404, 413)
    @validation.schema(FORMATS.extend)
    def extend(self, req: wsgi.Request, obj: objects.Volume, params: ExtendParams) -> None:
        """Make a volume larger that no server has."""
        self.compute.extend_volume(req.context, obj, params["new_size"])

    @wsgi.action(
        "os-set_bootable", path=_VOLUME, v3_path=_VOLUME, policy="volume_extension:volume_actions:set_bootable"
    )
    @wsgi.version(base="3.0")
    @wsgi.response(200)
    @wsgi.expected_errors(400, 404)
    @validation.schema(FORMATS.set_bootable)
    def set_bootable(self, req: wsgi.Request, obj: objects.Volume, params: BootableParams) -> None:
        """Say whether servers may boot from a volume."""
        self.compute.update_volume(req.context, obj, said_bootable=params["bootable"])

    @wsgi.action(
        "os-update_readonly_flag",
        path=_VOLUME,
        v3_path=_VOLUME,
        policy="volume_extension:volume_actions:update_readonly_flag",
    )
    @wsgi.version(base="3.0")
    @wsgi.response(202)
    @wsgi.expected_errors(400, 404)
    @validation.schema(FORMATS.read_only)
    def read_only(self, req: wsgi.Request, obj: objects.Volume, params: ReadOnlyParams) -> None:
        """Volumes are written to: that one is not to be is refused."""
        if params["readonly"]:
            raise exceptions.Invalid("readonly: servers can write to all volumes here.")

    @wsgi.action(
        "os-reset_status", path=_VOLUME, v3_path=_VOLUME, policy="volume_extension:volume_admin_actions:reset_status"
    )
    @wsgi.version(base="3.0")
    @wsgi.response(202)
    @wsgi.expected_errors(400, 404)
    @validation.schema(FORMATS.reset_status)
    def reset_status(self, req: wsgi.Request, obj: objects.Volume, params: StatusParams) -> None:
        """Say what a volume's status is; which server has it stays."""
        status = params.get("status")
        if status is None and params.get("attach_status") is None:
            raise exceptions.Invalid("Must specify 'status', 'attach_status' or 'migration_status' for update.")
        if status is not None and status.lower() not in _STATUSES:
            raise exceptions.Invalid(f"Must specify a valid status, one of {', '.join(_STATUSES)}.")
        if status is not None:
            self.compute.set_volume_status(req.context, obj, status.lower())

    @wsgi.action(
        "os-force_delete", path=_VOLUME, v3_path=_VOLUME, policy="volume_extension:volume_admin_actions:force_delete"
    )
    @wsgi.version(base="3.0")
    @wsgi.response(202)
    @wsgi.expected_errors(400, 404)
    @validation.schema(FORMATS.force_delete)
    def force_delete(self, req: wsgi.Request, obj: objects.Volume, params: wsgi.NoParams) -> None:
        """Delete a volume whatever its status says."""
        self.compute.delete_volume(req.context, obj, force=True)

    @wsgi.action(
        "os-set_image_metadata", path=_VOLUME, v3_path=_VOLUME, policy="volume_extension:volume_image_metadata:set"
    )
    @wsgi.version(base="3.0")
    @wsgi.response(200)
    @wsgi.expected_errors(400, 404)
    @validation.schema(FORMATS.set_image_metadata)
    def set_image_metadata(
        self, req: wsgi.Request, obj: objects.Volume, params: ImageMetadataParams
    ) -> dict[str, Any]:
        """Add to what a volume knows of the image that it was made of."""
        known = obj.image_metadata | params["metadata"]
        self.compute.update_volume(req.context, obj, image_metadata=known)
        return {"document": {"metadata": known}}

    @wsgi.action(
        "os-show_image_metadata", path=_VOLUME, v3_path=_VOLUME, policy="volume_extension:volume_image_metadata:show"
    )
    @wsgi.version(base="3.0")
    @wsgi.response(200)
    @wsgi.expected_errors(404)
    @validation.schema(FORMATS.show_image_metadata)
    def show_image_metadata(self, req: wsgi.Request, obj: objects.Volume, params: wsgi.NoParams) -> dict[str, Any]:
        """Show what a volume knows of the image that it was made of."""
        return {"document": {"metadata": obj.image_metadata}}

    @wsgi.action(
        "os-unset_image_metadata",
        path=_VOLUME,
        v3_path=_VOLUME,
        policy="volume_extension:volume_image_metadata:remove",
    )
    @wsgi.version(base="3.0")
    @wsgi.response(200)
    @wsgi.expected_errors(400, 404)
    @validation.schema(FORMATS.unset_image_metadata)
    def unset_image_metadata(self, req: wsgi.Request, obj: objects.Volume, params: KeyParams) -> None:
        """Remove one of these."""
        if params["key"] not in obj.image_metadata:
            raise exceptions.NotFound("Metadata does not exist.")
        known = {key: value for key, value in obj.image_metadata.items() if key != params["key"]}
        self.compute.update_volume(req.context, obj, image_metadata=known)


class SnapshotActionsController(wsgi.Controller):
    resource = "formats"
    resource_obj_cls = objects.VolumeSnapshot

    @wsgi.action(
        "os-reset_status",
        path=_SNAPSHOT,
        v3_path=_SNAPSHOT,
        policy="volume_extension:snapshot_admin_actions:reset_status",
    )
    @wsgi.version(base="3.0")
    @wsgi.response(202)
    @wsgi.expected_errors(400, 404)
    @validation.schema(FORMATS.reset_snapshot_status)
    def reset_snapshot_status(
        self, req: wsgi.Request, obj: objects.VolumeSnapshot, params: SnapshotStatusParams
    ) -> None:
        """Say what a snapshot's status is."""
        if params["status"].lower() not in ("creating", "available", "deleting", "error", "error_deleting"):
            raise exceptions.Invalid(f"status: {params['status'][:80]} is none that a snapshot can have.")
        self.compute.update_volume_snapshot(req.context, obj, status=params["status"].lower())
