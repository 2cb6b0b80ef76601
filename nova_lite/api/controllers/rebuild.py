"""Rebuild: a server that begins anew from an image."""

from __future__ import annotations

from typing import Any, TypedDict

from nova_lite import objects, schemas
from nova_lite.api import validation, wsgi
from nova_lite.api.controllers import server_create, server_facts
from nova_lite.api.controllers.operations import announce
from nova_lite.compute import states

_POLICY = "os_compute_api:servers:rebuild"
#: What a request says by these names is the server's own by the others.
_COLUMNS = {"name": "display_name", "description": "display_description", "personality": "injected_files"} | {
    name: name
    for name in (
        *("metadata", "key_name", "user_data", "hostname", "access_ip_v4", "access_ip_v6", "disk_config"),
        "trusted_image_certificates",
    )
}


class RebuildParams(TypedDict, total=False):
    access_ip_v4: str
    access_ip_v6: str
    admin_password: str
    description: str | None
    disk_config: str
    hostname: str
    image_ref: str
    key_name: str | None
    metadata: dict[str, str]
    name: str
    personality: list[dict[str, str]]
    preserve_ephemeral: bool
    trusted_image_certificates: list[str] | None
    user_data: str | None


class RebuildController(wsgi.Controller):
    resource = "rebuild"
    resource_obj_cls = objects.Instance

    @wsgi.action("rebuild", policy=_POLICY)
    @wsgi.verb(states.REBUILD)
    @wsgi.version(base="2.1", max="2.92")
    @wsgi.response(202)
    @wsgi.expected_errors(400, 403, 404, 409)
    @validation.schema(schemas.rebuild.rebuild)
    def rebuild(self, req: wsgi.Request, obj: objects.Instance, params: RebuildParams) -> dict[str, Any]:
        """Rebuild a server.

        A root that is a volume stays as it is, and only its own image may be asked for.
        """
        return self._rebuild(req, obj, params, reimage_boot_volume=False)

    @wsgi.version(base="2.93")
    @wsgi.response(202)
    @wsgi.expected_errors(400, 403, 404, 409)
    @validation.schema(schemas.rebuild.rebuild)
    def rebuild(  # type: ignore[no-redef]
        self, req: wsgi.Request, obj: objects.Instance, params: RebuildParams
    ) -> dict[str, Any]:
        """Rebuild a server.

        The server keeps its id, flavor, addresses and volumes; its own disks are made anew, the root disk from the
        image, and all that they held is lost. ``preserve_ephemeral`` keeps ephemeral disks. From 2.93 a root that is a
        volume is written anew, too. Works in ACTIVE, SHUTOFF and ERROR; a server that was SHUTOFF stays so.
        ``trusted_image_certificates`` can only be null: signatures of images are not verified.
        """
        return self._rebuild(req, obj, params, reimage_boot_volume=True)

    def _rebuild(
        self, req: wsgi.Request, obj: objects.Instance, params: RebuildParams, reimage_boot_volume: bool
    ) -> dict[str, Any]:
        given: dict[str, Any] = dict(params)
        changes = {column: given[name] for name, column in _COLUMNS.items() if name in given}
        if "display_name" in changes:
            changes["display_name"] = changes["display_name"].strip()
        rebuilt = self.compute.rebuild(
            req.context,
            obj,
            params["image_ref"],
            changes,
            preserve_ephemeral=params.get("preserve_ephemeral", False),
            reimage_boot_volume=reimage_boot_volume,
        )
        req.set_header("Location", req.url(f"/servers/{obj.uuid}"))
        announce(req, self.compute, obj)
        ports = self.compute.ports([obj.uuid]).get(obj.uuid, [])
        volumes = self.compute.volume_attachments(req.context, [obj.uuid]).get(obj.uuid, [])
        statuses = server_facts.HostStatuses(req, self.compute)
        facts = server_facts.full(req, rebuilt, statuses, ports, volumes)
        if self.compute.conf.api.enable_instance_password:
            facts["admin_password"] = server_create.password_of(params)
        return facts
