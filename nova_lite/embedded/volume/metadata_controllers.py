"""Metadata of volumes and of snapshots: the same operations on both."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypedDict

from nova_lite import exceptions, objects
from nova_lite.api import validation, wsgi
from nova_lite.embedded.volume.volumes_controller import FORMATS


class AllParams(TypedDict, total=False):
    metadata: dict[str, str]


class ItemParams(TypedDict, total=False):
    key: str


class WriteItemParams(TypedDict, total=False):
    key: str
    meta: dict[str, str]


def _controller(kind: type, path: str, rules: dict[str, str], write: Callable[[Any], Callable[..., Any]]) -> type:
    """The controller of one kind of object.

    :param rules: the policy rule for ``read``, ``add``, ``change`` and ``delete``.
    :param write: the verb of the compute API that changes such an object.
    """

    class MetadataController(wsgi.Controller):
        resource = f"{kind.__name__.lower()}_metadata"
        resource_obj_cls = kind

        @wsgi.route("GET", path, policy=rules["read"])
        @wsgi.version(base="3.0")
        @wsgi.response(200)
        @wsgi.expected_errors(404)
        @validation.schema(FORMATS.metadata)
        def show_all(self, req: wsgi.Request, obj: Any, params: wsgi.NoParams) -> dict[str, Any]:
            """List the metadata."""
            return {"metadata": obj.metadata}

        @wsgi.route("POST", path, policy=rules["add"])
        @wsgi.version(base="3.0")
        @wsgi.response(200)
        @wsgi.expected_errors(400, 404)
        @validation.schema(FORMATS.add_metadata)
        def add(self, req: wsgi.Request, obj: Any, params: AllParams) -> dict[str, Any]:
            """Add metadata, or change what is there."""
            return self._write(req, obj, obj.metadata | params["metadata"])

        @wsgi.route("PUT", path, policy=rules["change"])
        @wsgi.version(base="3.0")
        @wsgi.response(200)
        @wsgi.expected_errors(400, 404)
        @validation.schema(FORMATS.replace_metadata)
        def replace(self, req: wsgi.Request, obj: Any, params: AllParams) -> dict[str, Any]:
            """Put other metadata in place of what is there."""
            return self._write(req, obj, params["metadata"])

        @wsgi.route("GET", f"{path}/{{key}}", policy=rules["read"])
        @wsgi.version(base="3.0")
        @wsgi.response(200)
        @wsgi.expected_errors(404)
        @validation.schema(FORMATS.metadata_item)
        def show(self, req: wsgi.Request, obj: Any, params: ItemParams) -> dict[str, Any]:
            """Show one item."""
            return {"meta": {params["key"]: _item(obj, params["key"])}}

        @wsgi.route("PUT", f"{path}/{{key}}", policy=rules["change"])
        @wsgi.version(base="3.0")
        @wsgi.response(200)
        @wsgi.expected_errors(400, 404)
        @validation.schema(FORMATS.write_metadata_item)
        def write(self, req: wsgi.Request, obj: Any, params: WriteItemParams) -> dict[str, Any]:
            """Add one item, or change it."""
            if params["key"] not in params["meta"]:
                raise exceptions.Invalid("Request body and URI mismatch")
            self._write(req, obj, obj.metadata | params["meta"])
            return {"meta": params["meta"]}

        @wsgi.route("DELETE", f"{path}/{{key}}", policy=rules["delete"])
        @wsgi.version(base="3.0")
        @wsgi.response(200)
        @wsgi.expected_errors(404)
        @validation.schema(FORMATS.delete_metadata_item)
        def delete(self, req: wsgi.Request, obj: Any, params: ItemParams) -> None:
            """Remove one item."""
            _item(obj, params["key"])
            self._write(req, obj, {key: value for key, value in obj.metadata.items() if key != params["key"]})

        def _write(self, req: wsgi.Request, obj: Any, metadata: dict[str, str]) -> dict[str, Any]:
            return {"metadata": write(self.compute)(req.context, obj, metadata=metadata).metadata}

    return MetadataController


def _item(obj: Any, key: str) -> str:
    if key not in obj.metadata:
        raise exceptions.NotFound(f"Metadata item {key[:255]} could not be found.")
    return str(obj.metadata[key])


VolumeMetadataController = _controller(
    objects.Volume,
    "/volumes/{volume_id}/metadata",
    {
        "read": "volume:get_volume_metadata",
        "add": "volume:create_volume_metadata",
        "change": "volume:update_volume_metadata",
        "delete": "volume:delete_volume_metadata",
    },
    lambda compute: compute.update_volume,
)
SnapshotMetadataController = _controller(
    objects.VolumeSnapshot,
    "/snapshots/{snapshot_id}/metadata",
    {
        "read": "volume:get_snapshot_metadata",
        "add": "volume:update_snapshot_metadata",
        "change": "volume:update_snapshot_metadata",
        "delete": "volume:delete_snapshot_metadata",
    },
    lambda compute: compute.update_volume_snapshot,
)
