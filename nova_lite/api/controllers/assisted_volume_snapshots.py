"""Snapshots of volumes that the hypervisor takes for the Volume service, where volumes are qcow2 files of its own."""

from __future__ import annotations

from typing import TypedDict

import orjson

from nova_lite import exceptions, schemas
from nova_lite.api import validation, wsgi

_PATH = "/os-assisted-volume-snapshots"


class CreateParams(TypedDict, total=False):
    volume_id: str
    snapshot_id: str
    type: str
    new_file: str
    id: str


class DeleteParams(TypedDict, total=False):
    snapshot_id: str
    delete_info: str


class AssistedVolumeSnapshotsController(wsgi.Controller):
    """No volume here is of that kind: what Nova answers for a volume that it cannot help with."""

    resource = "assisted_volume_snapshots"

    @wsgi.route("POST", _PATH, policy="os_compute_api:os-assisted-volume-snapshots:create")
    @wsgi.version(base="2.1", max="2.104")
    @wsgi.response(200)
    @wsgi.expected_errors(400)
    @validation.schema(schemas.assisted_volume_snapshots.create)
    def create(self, req: wsgi.Request, obj: None, params: CreateParams) -> None:
        """Have the hypervisor take a snapshot of a volume.

        400: no volume here is a file of the Volume service. Its own snapshots are the Volume service's.
        """
        raise _no_such_volume(params["volume_id"])

    @wsgi.route("DELETE", f"{_PATH}/{{snapshot_id}}", policy="os_compute_api:os-assisted-volume-snapshots:delete")
    @wsgi.version(base="2.1", max="2.104")
    @wsgi.response(204)
    @wsgi.expected_errors(400, 404)
    @validation.schema(schemas.assisted_volume_snapshots.delete)
    def delete(self, req: wsgi.Request, obj: None, params: DeleteParams) -> None:
        """Have the hypervisor delete a snapshot of a volume.

        ``delete_info`` is a JSON document with the ``volume_id``. 400, as for create.
        """
        try:
            volume_id = orjson.loads(params.get("delete_info", ""))["volume_id"]
        except (orjson.JSONDecodeError, KeyError, TypeError, IndexError) as error:
            raise exceptions.Invalid("delete_info must be a JSON document with a volume_id.") from error
        raise _no_such_volume(str(volume_id)[:255])


def _no_such_volume(volume_id: str) -> exceptions.Invalid:
    return exceptions.Invalid(f"No volume Block Device Mapping with id {volume_id}.")
