"""Snapshots of volumes as Nova shows them, until 2.35."""

from __future__ import annotations

from typing import Any, TypedDict

from nova_lite import exceptions, objects, schemas
from nova_lite.api import times, validation, wsgi


class ListParams(TypedDict, total=False):
    limit: int
    offset: int


class CreateParams(TypedDict, total=False):
    volume_id: str
    force: bool
    display_name: str
    display_description: str


class SnapshotsController(wsgi.Controller):
    resource = "snapshots"
    resource_obj_cls = objects.VolumeSnapshot

    @wsgi.route("GET", "/os-snapshots", policy="os_compute_api:os-volumes:snapshots:list")
    @wsgi.version(base="2.1", max="2.35")
    @wsgi.response(200)
    @validation.schema(schemas.snapshots.index)
    def index(self, req: wsgi.Request, obj: None, params: ListParams) -> dict[str, Any]:
        """List the snapshots of the project's volumes.

        Nova's view of the volume service, which is here beside it.
        """
        return self._list(req, params)

    @wsgi.route("GET", "/os-snapshots/detail", policy="os_compute_api:os-volumes:snapshots:detail")
    @wsgi.version(base="2.1", max="2.35")
    @wsgi.response(200)
    @validation.schema(schemas.snapshots.detail)
    def detail(self, req: wsgi.Request, obj: None, params: ListParams) -> dict[str, Any]:
        """List the snapshots of the project's volumes with details, of which the plain list has as many."""
        return self._list(req, params)

    @wsgi.route("GET", "/os-snapshots/{snapshot_id}", policy="os_compute_api:os-volumes:snapshots:show")
    @wsgi.version(base="2.1", max="2.35")
    @wsgi.response(200)
    @wsgi.expected_errors(404)
    @validation.schema(schemas.snapshots.show)
    def show(self, req: wsgi.Request, obj: objects.VolumeSnapshot, params: wsgi.NoParams) -> dict[str, Any]:
        """Show a snapshot of a volume."""
        return _view(obj)

    @wsgi.route("POST", "/os-snapshots", policy="os_compute_api:os-volumes:snapshots:create")
    @wsgi.version(base="2.1", max="2.35")
    @wsgi.response(200)
    @wsgi.expected_errors(400, 403, 404)
    @validation.schema(schemas.snapshots.create)
    def create(self, req: wsgi.Request, obj: None, params: CreateParams) -> dict[str, Any]:
        """Make a snapshot of a volume; of one that a server uses with ``force``."""
        try:
            made = self.compute.create_volume_snapshot(
                req.context,
                params["volume_id"],
                name=params.get("display_name", ""),
                description=params.get("display_description"),
                force=params.get("force", False),
            )
        except exceptions.TooLarge as error:
            raise exceptions.OverQuota(str(error)) from error
        return _view(made)

    @wsgi.route("DELETE", "/os-snapshots/{snapshot_id}", policy="os_compute_api:os-volumes:snapshots:delete")
    @wsgi.version(base="2.1", max="2.35")
    @wsgi.response(202)
    @wsgi.expected_errors(400, 404)
    @validation.schema(schemas.snapshots.delete)
    def delete(self, req: wsgi.Request, obj: objects.VolumeSnapshot, params: wsgi.NoParams) -> None:
        """Delete a snapshot of a volume."""
        self.compute.delete_volume_snapshot(req.context, obj)

    def _list(self, req: wsgi.Request, params: ListParams) -> dict[str, Any]:
        most = self.compute.conf.api.max_limit
        begin = params.get("offset", 0)
        found = self.compute.list_volume_snapshots(req.context)
        page = found[begin : begin + min(params.get("limit") or most, most)]
        return {"snapshots": [_view(snapshot) for snapshot in page]}


def _view(snapshot: objects.VolumeSnapshot) -> dict[str, Any]:
    return {
        "id": snapshot.uuid,
        "status": snapshot.status,
        "size": snapshot.size_gb,
        "created_at": times.rfc3339(snapshot.created_at),
        "name": snapshot.name or None,
        "description": snapshot.description,
        "volume_id": snapshot.volume_id,
    }
