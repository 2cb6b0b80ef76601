"""Snapshots of volumes: listed, made, shown, changed and deleted."""

from __future__ import annotations

from typing import Any, TypedDict

from nova_lite import exceptions, objects
from nova_lite.api import validation, wsgi
from nova_lite.embedded.volume import listing, views
from nova_lite.embedded.volume.volumes_controller import FORMATS, ListParams, said

_FILTERS = ("name", "status", "volume_id", "id", "size")


class CreateParams(TypedDict, total=False):
    volume_id: str
    name: str | None
    display_name: str | None
    description: str | None
    metadata: dict[str, str] | None
    force: Any


class UpdateParams(TypedDict, total=False):
    name: str | None
    display_name: str | None
    description: str | None


class SnapshotsController(wsgi.Controller):
    resource = "formats"

    @wsgi.route("GET", "/snapshots", policy="volume:get_all_snapshots")
    @wsgi.version(base="3.0")
    @wsgi.response(200)
    @wsgi.expected_errors(400)
    @validation.schema(FORMATS.list_snapshots)
    def list_snapshots(self, req: wsgi.Request, obj: None, params: ListParams) -> dict[str, Any]:
        """List the project's snapshots."""
        return self._page(req, "snapshots", params)

    @wsgi.route("GET", "/snapshots/detail", policy="volume:get_all_snapshots")
    @wsgi.version(base="3.0")
    @wsgi.response(200)
    @wsgi.expected_errors(400)
    @validation.schema(FORMATS.detail_snapshots)
    def detail_snapshots(self, req: wsgi.Request, obj: None, params: ListParams) -> dict[str, Any]:
        """List the project's snapshots; they have no more details."""
        return self._page(req, "snapshots/detail", params)

    def _page(self, req: wsgi.Request, path: str, params: ListParams) -> dict[str, Any]:
        found = self.compute.list_volume_snapshots(req.context, params.get("all_tenants", False))
        shown = listing.narrowed([views.snapshot(snapshot) for snapshot in found], req.query, _FILTERS)
        return listing.page(req, "snapshots", path, shown, params, lambda view: view)

    @wsgi.route("POST", "/snapshots", policy="volume:create_snapshot")
    @wsgi.version(base="3.0")
    @wsgi.response(202)
    @wsgi.expected_errors(400, 404, 413)
    @validation.schema(FORMATS.create_snapshot)
    def create_snapshot(self, req: wsgi.Request, obj: None, params: CreateParams) -> dict[str, Any]:
        """Make a snapshot of a volume; of one that a server uses with ``force``."""
        force = str(params.get("force") or False).lower()
        if force not in ("true", "false", "1", "0", "yes", "no", "on", "off"):
            raise exceptions.Invalid("force: it must be true or false.")
        made = self.compute.create_volume_snapshot(
            req.context, params["volume_id"], force=force in ("true", "1", "yes", "on"), **said(params)
        )
        return views.snapshot(made)


class SnapshotController(wsgi.Controller):
    resource = "formats"
    resource_obj_cls = objects.VolumeSnapshot

    @wsgi.route("GET", "/snapshots/{snapshot_id}", policy="volume:get_snapshot")
    @wsgi.version(base="3.0")
    @wsgi.response(200)
    @wsgi.expected_errors(404)
    @validation.schema(FORMATS.show_snapshot)
    def show_snapshot(self, req: wsgi.Request, obj: objects.VolumeSnapshot, params: wsgi.NoParams) -> dict[str, Any]:
        """Show a snapshot."""
        return views.snapshot(obj)

    @wsgi.route("PUT", "/snapshots/{snapshot_id}", policy="volume:update_snapshot")
    @wsgi.version(base="3.0")
    @wsgi.response(200)
    @wsgi.expected_errors(400, 404)
    @validation.schema(FORMATS.update_snapshot)
    def update_snapshot(self, req: wsgi.Request, obj: objects.VolumeSnapshot, params: UpdateParams) -> dict[str, Any]:
        """Change name or description of a snapshot."""
        return views.snapshot(self.compute.update_volume_snapshot(req.context, obj, **said(params)))

    @wsgi.route("DELETE", "/snapshots/{snapshot_id}", policy="volume:delete_snapshot")
    @wsgi.version(base="3.0")
    @wsgi.response(202)
    @wsgi.expected_errors(400, 404)
    @validation.schema(FORMATS.delete_snapshot)
    def delete_snapshot(self, req: wsgi.Request, obj: objects.VolumeSnapshot, params: wsgi.NoParams) -> None:
        """Delete a snapshot; volumes that were made of it stay."""
        self.compute.delete_volume_snapshot(req.context, obj)
