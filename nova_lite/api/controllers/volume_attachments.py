"""The volumes of a server."""

from __future__ import annotations

from typing import Any, TypedDict

from nova_lite import exceptions, objects, schemas
from nova_lite.api import validation, wsgi
from nova_lite.api.controllers.operations import announce
from nova_lite.compute import states

_POLICY = "os_compute_api:os-volumes-attachments"
_ALL, _ALL_V3 = "/servers/{server_id}/os-volume_attachments", "/servers/{server_id}/volume-attachments"
_ONE, _ONE_V3 = f"{_ALL}/{{volume_id}}", f"{_ALL_V3}/{{volume_id}}"


class IndexParams(TypedDict, total=False):
    limit: int
    offset: int


class OneParams(TypedDict):
    volume_id: str


class CreateParams(TypedDict, total=False):
    volume_id: str
    device: str | None
    tag: str
    delete_on_termination: bool


class SwapParams(TypedDict):
    volume_id: str
    new_volume_id: str


class UpdateParams(TypedDict, total=False):
    volume_id: str
    new_volume_id: str
    same_volume_id: str
    device: str | None
    tag: str
    delete_on_termination: bool
    server_id: str


class VolumeAttachmentsController(wsgi.Controller):
    resource = "volume_attachments"
    resource_obj_cls = objects.Instance

    @wsgi.route("GET", _ALL, v3=_ALL_V3, policy=f"{_POLICY}:index")
    @wsgi.version(base="2.1")
    @wsgi.response(200)
    @wsgi.expected_errors(404)
    @validation.schema(schemas.volume_attachments.index)
    def index(self, req: wsgi.Request, obj: objects.Instance, params: IndexParams) -> dict[str, Any]:
        """List the volumes of a server."""
        found = self.compute.volume_attachments(req.context, [obj.uuid]).get(obj.uuid, [])
        offset, most = params.get("offset", 0), self.compute.conf.api.max_limit
        end = offset + min(params.get("limit") or most, most)
        return {"attachments": [_facts(device) for device in found[offset:end]]}

    @wsgi.route("GET", _ONE, v3=_ONE_V3, policy=f"{_POLICY}:show")
    @wsgi.version(base="2.1")
    @wsgi.response(200)
    @wsgi.expected_errors(404)
    @validation.schema(schemas.volume_attachments.show)
    def show(self, req: wsgi.Request, obj: objects.Instance, params: OneParams) -> dict[str, Any]:
        """Show one volume of a server."""
        return _facts(self.compute.volume_attachment(req.context, obj, params["volume_id"]))

    @wsgi.route("POST", _ALL, v3=_ALL_V3, policy=f"{_POLICY}:create")
    @wsgi.verb(states.ATTACH_VOLUME)
    @wsgi.version(base="2.1")
    @wsgi.response(200, version="2.1")
    @wsgi.response(202, version="2.101")
    @wsgi.expected_errors(400, 403, 404, 409)
    @validation.schema(schemas.volume_attachments.create)
    def create(self, req: wsgi.Request, obj: objects.Instance, params: CreateParams) -> dict[str, Any]:
        """Attach a volume to a server.

        The volume must be available and the server active, paused or stopped. A machine that is on gets it at once, by
        PCI hot-plug; a guest that cannot have disks come while it runs finds it at its next boot. The guest names its
        disks by itself: ``device`` is what Linux will call it, whatever was wished for. The instance action
        ``attach_volume`` tells how it went.
        """
        _check_shelved(req, obj, states.ATTACH_VOLUME)
        attached = self.compute.attach_volume(
            req.context,
            obj,
            params["volume_id"],
            device=params.get("device"),
            tag=params.get("tag"),
            delete_on_termination=params.get("delete_on_termination", False),
        )
        announce(req, self.compute, obj)
        return _facts(attached)

    @wsgi.route("PUT", _ONE, policy=f"{_POLICY}:swap")
    @wsgi.version(base="2.1", max="2.84")
    @wsgi.response(202)
    @wsgi.expected_errors(400, 404, 409)
    @validation.schema(schemas.volume_attachments.swap)
    def swap(self, req: wsgi.Request, obj: objects.Instance, params: SwapParams) -> None:
        """Put another volume in place of one that the volume service is migrating.

        409, as volumes stay where they are.
        """
        self.compute.swap_volume(req.context, obj, params["volume_id"], params["new_volume_id"])

    @wsgi.route("PUT", _ONE, v3=_ONE_V3, policy=f"{_POLICY}:update")
    @wsgi.version(base="2.85")
    @wsgi.response(202)
    @wsgi.expected_errors(400, 403, 404, 409)
    @validation.schema(schemas.volume_attachments.update)
    def update(self, req: wsgi.Request, obj: objects.Instance, params: UpdateParams) -> None:
        """Say whether a volume is deleted with its server.

        In 2.x the other properties must be those that the attachment has; another ``volumeId`` than the path's asks for
        a swap, which is refused with 409 (and needs the policy ``swap``).
        """
        volume_id = params["volume_id"]
        new_id = params.get("new_volume_id", volume_id)
        if new_id != volume_id:
            req.authorize(f"{_POLICY}:swap", obj.policy_target())
        found = self.compute.volume_attachment(req.context, obj, volume_id)
        present = {
            "id": ("same_volume_id", volume_id),
            "serverId": ("server_id", obj.uuid),
            "device": ("device", found.device_name),
            "tag": ("tag", found.tag),
        }
        for name, (key, value) in present.items():
            if key in params and params[key] != value:  # type: ignore[literal-required]
                raise exceptions.Invalid(f"The {name} property is not mutable")
        self.compute.update_volume_attachment(req.context, obj, volume_id, params.get("delete_on_termination"))
        if new_id != volume_id:
            self.compute.swap_volume(req.context, obj, volume_id, new_id)

    @wsgi.route("DELETE", _ONE, v3=_ONE_V3, policy=f"{_POLICY}:delete")
    @wsgi.verb(states.DETACH_VOLUME)
    @wsgi.version(base="2.1")
    @wsgi.response(202)
    @wsgi.expected_errors(400, 403, 404, 409)
    def delete(self, req: wsgi.Request, obj: objects.Instance, params: OneParams) -> None:
        """Detach a volume from a server.

        A guest that runs is asked to let go of it. Until it has done so the volume is ``detaching`` and stays in the
        list: at the latest it is free when the server stops or its machine is reset. Asking again asks the guest again.
        A root disk cannot be detached (403).
        """
        _check_shelved(req, obj, states.DETACH_VOLUME)
        self.compute.detach_volume(req.context, obj, params["volume_id"])
        announce(req, self.compute, obj)


def _check_shelved(req: wsgi.Request, server: objects.Instance, verb: states.Verb) -> None:
    """409 until 2.19 for servers that are shelved, which later versions may give volumes."""
    if req.version < (2, 20) and server.vm_state in ("shelved", "shelved_offloaded"):
        raise exceptions.InstanceInvalidState(server.uuid, "vm_state", server.vm_state, verb.action)


def _facts(device: objects.BlockDevice) -> dict[str, Any]:
    return {
        "id": device.volume_id,
        "volume_id": device.volume_id,
        "server_id": device.instance_uuid,
        "device": device.device_name,
        "tag": device.tag,
        "delete_on_termination": device.delete_on_termination,
        "attachment_id": device.attachment_id,
        "bdm_uuid": device.uuid,
    }
