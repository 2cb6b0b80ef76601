"""Snapshots of volumes that the hypervisor takes for the Volume service, where volumes are qcow2 files of its own."""

from __future__ import annotations

from typing import Any, TypedDict

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
    """No volume here is of that kind. Nova accepts such a request for any volume that a server has, finds out on the
    host, and tells the Volume service, which asked; here nobody has to be told."""

    resource = "assisted_volume_snapshots"

    @wsgi.route("POST", _PATH, policy="os_compute_api:os-assisted-volume-snapshots:create")
    @wsgi.version(base="2.1", max="2.104")
    @wsgi.response(200)
    @wsgi.expected_errors(400)
    @validation.schema(schemas.assisted_volume_snapshots.create)
    def create(self, req: wsgi.Request, obj: None, params: CreateParams) -> dict[str, Any]:
        """Have the hypervisor take a snapshot of a volume.

        Without effect: no volume here is a file of the Volume service, which takes its snapshots itself.
        """
        self._check(params["volume_id"])
        return {"id": params.get("id"), "volume_id": params["volume_id"]}

    @wsgi.route("DELETE", f"{_PATH}/{{snapshot_id}}", policy="os_compute_api:os-assisted-volume-snapshots:delete")
    @wsgi.version(base="2.1", max="2.104")
    @wsgi.response(204)
    @wsgi.expected_errors(400, 404)
    @validation.schema(schemas.assisted_volume_snapshots.delete)
    def delete(self, req: wsgi.Request, obj: None, params: DeleteParams) -> None:
        """Have the hypervisor delete a snapshot of a volume.

        ``delete_info`` is a JSON document with the ``volume_id``. Without effect, as create.
        """
        try:
            volume_id = str(orjson.loads(params.get("delete_info", ""))["volume_id"])
        except (orjson.JSONDecodeError, KeyError, TypeError, IndexError) as error:
            raise exceptions.Invalid("delete_info must be a JSON document with a volume_id.") from error
        self._check(volume_id)

    def _check(self, volume_id: str) -> None:
        if not self.compute.is_attached(volume_id):
            raise exceptions.Invalid(f"No volume Block Device Mapping with id {volume_id[:255]}.")
