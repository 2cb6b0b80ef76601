"""Volumes: listed, made, shown, changed and deleted, with their metadata."""

from __future__ import annotations

import builtins
from typing import Any, TypedDict

from nova_lite import exceptions, objects, schemas
from nova_lite.api import validation, wsgi
from nova_lite.embedded.volume import formats, listing, views

FORMATS = schemas.of_module(formats, 3)
_FILTERS = ("name", "status", "size", "bootable", "availability_zone", "snapshot_id", "source_volid", "id", "user_id")


class ListParams(TypedDict, total=False):
    limit: int
    offset: int
    marker: str
    sort: str
    sort_key: str
    sort_dir: str
    all_tenants: bool
    with_count: bool


class SummaryParams(TypedDict, total=False):
    all_tenants: bool


class CreateParams(TypedDict, total=False):
    size: int | None
    name: str | None
    display_name: str | None
    description: str | None
    display_description: str | None
    metadata: dict[str, str] | None
    image_ref: str | None
    image_id: str | None
    snapshot_id: str | None
    source_volid: str | None
    volume_type: str | None
    availability_zone: str | None
    multiattach: Any


class UpdateParams(TypedDict, total=False):
    name: str | None
    display_name: str | None
    description: str | None
    display_description: str | None
    metadata: dict[str, str] | None


class DeleteParams(TypedDict, total=False):
    cascade: bool
    force: bool


def said(params: Any) -> dict[str, Any]:
    """Name, description and metadata in the words of the store; older clients say ``display_name``."""
    values: dict[str, Any] = {}
    for column, names in (("name", ("display_name", "name")), ("description", ("display_description", "description"))):
        for name in names:
            if name in params:
                values[column] = (params[name] or "") if column == "name" else params[name]
    if params.get("metadata") is not None:
        values["metadata"] = params["metadata"]
    return values


class VolumesController(wsgi.Controller):
    resource = "formats"

    @wsgi.route("GET", "/volumes", policy="volume:get_all")
    @wsgi.version(base="3.0")
    @wsgi.response(200)
    @wsgi.expected_errors(400)
    @validation.schema(FORMATS.list)
    def list(self, req: wsgi.Request, obj: None, params: ListParams) -> dict[str, Any]:
        """List the project's volumes: ids and names."""
        brief = ("id", "name", "links")
        return listing.page(
            req, "volumes", "volumes", self._found(req, params), params, lambda view: {key: view[key] for key in brief}
        )

    @wsgi.route("GET", "/volumes/detail", policy="volume:get_all")
    @wsgi.version(base="3.0")
    @wsgi.response(200)
    @wsgi.expected_errors(400)
    @validation.schema(FORMATS.detail)
    def detail(self, req: wsgi.Request, obj: None, params: ListParams) -> dict[str, Any]:
        """List the project's volumes."""
        found = self._found(req, params)
        return listing.page(req, "volumes", "volumes/detail", found, params, lambda view: view)

    @wsgi.route("GET", "/volumes/summary", policy="volume:get_all")
    @wsgi.version(base="3.0")
    @wsgi.response(200)
    @validation.schema(FORMATS.summary)
    def summary(self, req: wsgi.Request, obj: None, params: SummaryParams) -> dict[str, Any]:
        """How many volumes there are, and how large they are together."""
        found = self.compute.list_volumes(req.context, params.get("all_tenants", False))
        size = sum(volume.size_gb for volume in found)
        return {"document": {"volume-summary": {"total_count": len(found), "total_size": size}}}

    def _found(self, req: wsgi.Request, params: ListParams) -> builtins.list[dict[str, Any]]:
        volumes = self.compute.list_volumes(req.context, params.get("all_tenants", False))
        attachments = self.compute.attachments_of(volumes)
        zone = self.compute.conf.compute.default_availability_zone
        found = [views.volume(req, volume, attachments, zone) for volume in volumes]
        return listing.narrowed(found, req.query, _FILTERS)

    @wsgi.route("POST", "/volumes", policy="volume:create")
    @wsgi.version(base="3.0")
    @wsgi.response(202)
    @wsgi.expected_errors(400, 404, 413)
    @validation.schema(FORMATS.create)
    def create(self, req: wsgi.Request, obj: None, params: CreateParams) -> dict[str, Any]:
        """Make a volume: empty, or of an image, a snapshot or another volume."""
        if params.get("volume_type") not in (None, "", views.TYPE["name"], views.TYPE["id"]):
            raise exceptions.NotFound(f"Volume type {params['volume_type']} could not be found.")
        zone = self.compute.conf.compute.default_availability_zone
        if params.get("availability_zone") not in (None, "", zone):
            raise exceptions.Invalid(f"Availability zone '{params['availability_zone']}' is invalid.")
        if str(params.get("multiattach", False)).lower() not in ("false", "none", "0"):
            raise exceptions.Invalid("multiattach: no volume here can be attached to several servers.")
        image_id = params.get("image_ref") or params.get("image_id") or None
        snapshot_id, source_id = params.get("snapshot_id") or None, params.get("source_volid") or None
        if params.get("size") is None and not (snapshot_id or source_id):
            raise exceptions.Invalid("size: a new volume needs one, in GiB.")
        volume = self.compute.create_volume(
            req.context,
            size_gb=params.get("size"),
            image_id=image_id,
            snapshot_id=snapshot_id,
            source_id=source_id,
            **said(params),
        )
        return views.volume(req, volume, {}, zone)


class VolumeController(wsgi.Controller):
    resource = "formats"
    resource_obj_cls = objects.Volume

    @wsgi.route("GET", "/volumes/{volume_id}", policy="volume:get")
    @wsgi.version(base="3.0")
    @wsgi.response(200)
    @wsgi.expected_errors(404)
    @validation.schema(FORMATS.show)
    def show(self, req: wsgi.Request, obj: objects.Volume, params: wsgi.NoParams) -> dict[str, Any]:
        """Show a volume."""
        return self._view(req, obj)

    @wsgi.route("PUT", "/volumes/{volume_id}", policy="volume:update")
    @wsgi.version(base="3.0")
    @wsgi.response(200)
    @wsgi.expected_errors(400, 404)
    @validation.schema(FORMATS.update)
    def update(self, req: wsgi.Request, obj: objects.Volume, params: UpdateParams) -> dict[str, Any]:
        """Change name, description or metadata of a volume."""
        return self._view(req, self.compute.update_volume(req.context, obj, **said(params)))

    @wsgi.route("DELETE", "/volumes/{volume_id}", policy="volume:delete")
    @wsgi.version(base="3.0")
    @wsgi.response(202)
    @wsgi.expected_errors(400, 403, 404)
    @validation.schema(FORMATS.delete)
    def delete(self, req: wsgi.Request, obj: objects.Volume, params: DeleteParams) -> None:
        """Delete a volume; ``force`` is for administrators."""
        if params.get("force"):
            req.authorize("volume:force_delete")
        self.compute.delete_volume(req.context, obj, params.get("cascade", False), params.get("force", False))

    def _view(self, req: wsgi.Request, volume: objects.Volume) -> dict[str, Any]:
        zone = self.compute.conf.compute.default_availability_zone
        return views.volume(req, volume, self.compute.attachments_of([volume]), zone)
