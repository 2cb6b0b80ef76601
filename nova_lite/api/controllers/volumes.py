"""Volumes as Nova shows them, until 2.35."""

from __future__ import annotations

from typing import Any, TypedDict

from nova_lite import exceptions, objects, schemas
from nova_lite.api import times, validation, wsgi
from nova_lite.compute.volume_service import VolumeAttachment
from nova_lite.volumes.types import TYPE_NAME


class ListParams(TypedDict, total=False):
    limit: int
    offset: int


class CreateParams(TypedDict, total=False):
    size: int
    volume_type: str
    metadata: dict[str, Any]
    snapshot_id: str
    availability_zone: str
    display_name: str
    display_description: str


class VolumesController(wsgi.Controller):
    resource = "volumes"
    resource_obj_cls = objects.Volume

    @wsgi.route("GET", "/os-volumes", policy="os_compute_api:os-volumes:list")
    @wsgi.version(base="2.1", max="2.35")
    @wsgi.response(200)
    @validation.schema(schemas.volumes.index)
    def index(self, req: wsgi.Request, obj: None, params: ListParams) -> dict[str, Any]:
        """List the project's volumes.

        Nova's view of the volume service, which is here beside it.
        """
        return self._list(req, params)

    @wsgi.route("GET", "/os-volumes/detail", policy="os_compute_api:os-volumes:detail")
    @wsgi.version(base="2.1", max="2.35")
    @wsgi.response(200)
    @validation.schema(schemas.volumes.detail)
    def detail(self, req: wsgi.Request, obj: None, params: ListParams) -> dict[str, Any]:
        """List the project's volumes with details, of which the plain list has as many."""
        return self._list(req, params)

    @wsgi.route("GET", "/os-volumes/{volume_id}", policy="os_compute_api:os-volumes:show")
    @wsgi.version(base="2.1", max="2.35")
    @wsgi.response(200)
    @wsgi.expected_errors(404)
    @validation.schema(schemas.volumes.show)
    def show(self, req: wsgi.Request, obj: objects.Volume, params: wsgi.NoParams) -> dict[str, Any]:
        """Show a volume."""
        return self._view(obj, self.compute.attachments_of([obj]).get(obj.uuid))

    @wsgi.route("POST", "/os-volumes", policy="os_compute_api:os-volumes:create")
    @wsgi.version(base="2.1", max="2.35")
    @wsgi.response(200)
    @wsgi.expected_errors(400, 403, 404)
    @validation.schema(schemas.volumes.create)
    def create(self, req: wsgi.Request, obj: None, params: CreateParams) -> dict[str, Any]:
        """Make a volume, empty or of a snapshot."""
        zone = params.get("availability_zone")
        if zone not in (None, self.compute.conf.compute.default_availability_zone):
            raise exceptions.Invalid(f"Invalid input received: Availability zone '{str(zone)[:80]}' is invalid.")
        try:
            made = self.compute.create_volume(
                req.context,
                size_gb=params["size"],
                name=params.get("display_name", ""),
                description=params.get("display_description"),
                metadata={key: str(value) for key, value in params.get("metadata", {}).items()},
                snapshot_id=params.get("snapshot_id"),
            )
        except exceptions.TooLarge as error:
            raise exceptions.OverQuota(str(error)) from error
        req.set_header("Location", req.url(f"/os-volumes/{made.uuid}"))
        return self._view(made, None)

    @wsgi.route("DELETE", "/os-volumes/{volume_id}", policy="os_compute_api:os-volumes:delete")
    @wsgi.version(base="2.1", max="2.35")
    @wsgi.response(202)
    @wsgi.expected_errors(400, 404)
    @validation.schema(schemas.volumes.delete)
    def delete(self, req: wsgi.Request, obj: objects.Volume, params: wsgi.NoParams) -> None:
        """Delete a volume that no server has."""
        self.compute.delete_volume(req.context, obj)

    def _list(self, req: wsgi.Request, params: ListParams) -> dict[str, Any]:
        most = self.compute.conf.api.max_limit
        begin = params.get("offset", 0)
        page = self.compute.list_volumes(req.context)[begin : begin + min(params.get("limit") or most, most)]
        attachments = self.compute.attachments_of(page)
        return {"volumes": [self._view(volume, attachments.get(volume.uuid)) for volume in page]}

    def _view(self, volume: objects.Volume, attached: VolumeAttachment | None) -> dict[str, Any]:
        attachment: dict[str, Any] = {}
        if attached is not None and volume.status in ("in-use", "detaching"):
            attachment = {"id": volume.uuid, "volume_id": volume.uuid, "server_id": attached.server_id}
            attachment["device"] = attached.device
        return {
            "id": volume.uuid,
            "status": volume.status,
            "size": volume.size_gb,
            "availability_zone": self.compute.conf.compute.default_availability_zone,
            "created_at": times.rfc3339(volume.created_at),
            "attachments": [attachment],
            "name": volume.name or None,
            "description": volume.description,
            "volume_type": TYPE_NAME,
            "snapshot_id": volume.snapshot_id,
            "metadata": volume.metadata,
        }
