"""What else clients ask a volume service: types, zones, limits, quotas, attachments, and lists that are empty here."""

from __future__ import annotations

from typing import Any, TypedDict

from nova_lite import exceptions
from nova_lite.api import validation, wsgi
from nova_lite.embedded.volume import views
from nova_lite.embedded.volume.volumes_controller import FORMATS

#: Collections that there is never anything in: path, key, rule.
EMPTY = (
    ("/backups", "backups", "backup:get_all"),
    ("/backups/detail", "backups", "backup:get_all"),
    ("/os-volume-transfer", "transfers", "volume:get_all_transfers"),
    ("/os-volume-transfer/detail", "transfers", "volume:get_all_transfers"),
    ("/volume-transfers", "transfers", "volume:get_all_transfers"),
    ("/volume-transfers/detail", "transfers", "volume:get_all_transfers"),
    ("/messages", "messages", "message:get_all"),
    ("/qos-specs", "qos_specs", "volume_extension:qos_specs_manage:get_all"),
    ("/extensions", "extensions", "volume_extension:type_get_all"),
)


class TypeParams(TypedDict, total=False):
    type_id: str


class QuotaParams(TypedDict, total=False):
    quota_project_id: str
    usage: bool


class DefaultQuotaParams(TypedDict, total=False):
    quota_project_id: str


class AttachmentParams(TypedDict, total=False):
    attachment_id: str


class TypesController(wsgi.Controller):
    resource = "formats"

    @wsgi.route("GET", "/types", policy="volume_extension:type_get_all")
    @wsgi.version(base="3.0")
    @wsgi.response(200)
    @validation.schema(FORMATS.types)
    def types(self, req: wsgi.Request, obj: None, params: wsgi.NoParams) -> dict[str, Any]:
        """List the types of volumes: there is one."""
        return {"document": {"volume_types": [views.TYPE]}}

    @wsgi.route("GET", "/types/default", policy="volume_extension:type_get")
    @wsgi.version(base="3.0")
    @wsgi.response(200)
    @validation.schema(FORMATS.default_type)
    def default_type(self, req: wsgi.Request, obj: None, params: wsgi.NoParams) -> dict[str, Any]:
        """The type of volumes that name none."""
        return {"document": {"volume_type": views.TYPE}}

    @wsgi.route("GET", "/types/{type_id}", policy="volume_extension:type_get")
    @wsgi.version(base="3.0")
    @wsgi.response(200)
    @wsgi.expected_errors(404)
    @validation.schema(FORMATS.type)
    def type(self, req: wsgi.Request, obj: None, params: TypeParams) -> dict[str, Any]:
        """Show a type."""
        _check_type(params["type_id"])
        return {"document": {"volume_type": views.TYPE}}

    @wsgi.route("GET", "/types/{type_id}/extra_specs", policy="volume_extension:types_extra_specs:index")
    @wsgi.version(base="3.0")
    @wsgi.response(200)
    @wsgi.expected_errors(404)
    @validation.schema(FORMATS.type_specs)
    def type_specs(self, req: wsgi.Request, obj: None, params: TypeParams) -> dict[str, Any]:
        """The extra specs of a type: none."""
        _check_type(params["type_id"])
        return {"document": {"extra_specs": {}}}


def _check_type(type_id: str) -> None:
    if type_id != views.TYPE["id"]:
        raise exceptions.NotFound(f"Volume type {type_id[:80]} could not be found.")


class InfoController(wsgi.Controller):
    resource = "formats"

    @wsgi.route("GET", "/os-availability-zone", policy="volume:availability_zone_list")
    @wsgi.version(base="3.0")
    @wsgi.response(200)
    @validation.schema(FORMATS.zones)
    def zones(self, req: wsgi.Request, obj: None, params: wsgi.NoParams) -> dict[str, Any]:
        """List the availability zones: there is one."""
        zone = self.compute.conf.compute.default_availability_zone
        return {"document": {"availabilityZoneInfo": [{"zoneName": zone, "zoneState": {"available": True}}]}}

    @wsgi.route("GET", "/limits", policy="limits_extension:used_limits")
    @wsgi.version(base="3.0")
    @wsgi.response(200)
    @validation.schema(FORMATS.limits)
    def limits(self, req: wsgi.Request, obj: None, params: wsgi.NoParams) -> dict[str, Any]:
        """What the project may have, and has."""
        quota = self.compute.volume_quota(req.context)
        names = {"volumes": "Volumes", "snapshots": "Snapshots", "gigabytes": "Gigabytes"}
        absolute = {"maxTotalBackups": 0, "maxTotalBackupGigabytes": 0}
        absolute |= {"totalBackupsUsed": 0, "totalBackupGigabytesUsed": 0}
        for name, (limit, used) in quota.items():
            absolute[f"maxTotal{'Volume' if name == 'gigabytes' else ''}{names[name]}"] = limit
            absolute[f"total{names[name]}Used"] = used
        return {"document": {"limits": {"rate": [], "absolute": absolute}}}

    @wsgi.route("GET", "/os-quota-sets/{quota_project_id}", policy="volume_extension:quotas:show")
    @wsgi.version(base="3.0")
    @wsgi.response(200)
    @wsgi.expected_errors(403)
    @validation.schema(FORMATS.quota)
    def quota(self, req: wsgi.Request, obj: None, params: QuotaParams) -> dict[str, Any]:
        """What a project may have, with ``usage`` also what it has."""
        return self._quota(req, params["quota_project_id"], params.get("usage", False))

    @wsgi.route("GET", "/os-quota-sets/{quota_project_id}/defaults", policy="volume_extension:quotas:show")
    @wsgi.version(base="3.0")
    @wsgi.response(200)
    @wsgi.expected_errors(403)
    @validation.schema(FORMATS.default_quota)
    def default_quota(self, req: wsgi.Request, obj: None, params: DefaultQuotaParams) -> dict[str, Any]:
        """What every project may have."""
        return self._quota(req, params["quota_project_id"], False)

    def _quota(self, req: wsgi.Request, project_id: str, usage: bool) -> dict[str, Any]:
        if project_id != req.context.project_id and not req.context.is_admin:
            raise exceptions.Forbidden("The quota of another project is for administrators.")
        found: dict[str, Any] = {"id": project_id}
        for name, (limit, used) in self.compute.volume_quota(req.context, project_id).items():
            for key in (name, f"{name}_{views.TYPE['name']}"):
                found[key] = {"limit": limit, "in_use": used, "reserved": 0} if usage else limit
        for name in ("backups", "backup_gigabytes", "groups", "per_volume_gigabytes"):
            limit = -1 if name == "per_volume_gigabytes" else 0
            found[name] = {"limit": limit, "in_use": 0, "reserved": 0} if usage else limit
        return {"document": {"quota_set": found}}

    @wsgi.route("GET", "/os-services", policy="volume_extension:services:index")
    @wsgi.version(base="3.0")
    @wsgi.response(200)
    @validation.schema(FORMATS.services)
    def services(self, req: wsgi.Request, obj: None, params: wsgi.NoParams) -> dict[str, Any]:
        """List the services that make volumes: the agent of each host."""
        found = [
            {
                "binary": "cinder-volume",
                "host": f"{service.host}@local",
                "zone": self.compute.conf.compute.default_availability_zone,
                "status": "enabled",
                "state": "up" if service.state == "up" else "down",
                "updated_at": views.time(service.updated_at),
                "disabled_reason": None,
                "cluster": None,
                "backend_state": "up",
            }
            for service in self.compute.list_services(req.context)
        ]
        return {"document": {"services": found}}


class AttachmentsController(wsgi.Controller):
    resource = "formats"

    @wsgi.route("GET", "/attachments", policy="volume:get_all")
    @wsgi.version(base="3.0")
    @wsgi.response(200)
    @validation.schema(FORMATS.attachments)
    def attachments(self, req: wsgi.Request, obj: None, params: wsgi.NoParams) -> dict[str, Any]:
        """List which servers have which volumes."""
        return {"document": {"attachments": self._found(req, False)}}

    @wsgi.route("GET", "/attachments/detail", policy="volume:get_all")
    @wsgi.version(base="3.0")
    @wsgi.response(200)
    @validation.schema(FORMATS.detail_attachments)
    def detail_attachments(self, req: wsgi.Request, obj: None, params: wsgi.NoParams) -> dict[str, Any]:
        """List which servers have which volumes, with details."""
        return {"document": {"attachments": self._found(req, True)}}

    @wsgi.route("GET", "/attachments/{attachment_id}", policy="volume:get_all")
    @wsgi.version(base="3.0")
    @wsgi.response(200)
    @wsgi.expected_errors(404)
    @validation.schema(FORMATS.attachment)
    def attachment(self, req: wsgi.Request, obj: None, params: AttachmentParams) -> dict[str, Any]:
        """Show one of them."""
        for found in self._found(req, True):
            if found["id"] == params["attachment_id"]:
                return {"document": {"attachment": found}}
        raise exceptions.NotFound(f"Volume attachment could not be found with filter: attachment_id = "
                                  f"{params['attachment_id'][:80]}.")  # fmt: skip

    def _found(self, req: wsgi.Request, detail: bool) -> list[dict[str, Any]]:
        everybody = req.query.get("all_tenants", ["0"])[-1].lower() in ("1", "true")
        volumes = {volume.uuid: volume for volume in self.compute.list_volumes(req.context, everybody)}
        found = []
        for volume_id, attached in self.compute.attachments_of(list(volumes.values())).items():
            in_use = volumes[volume_id].status in ("in-use", "detaching")
            view = {
                "id": attached.attachment_id,
                "volume_id": volume_id,
                "instance": attached.server_id,
                "status": "attached" if in_use else "attaching",
            }
            found.append(view | _DETAIL if detail else view)
        return found


_DETAIL: dict[str, Any] = {"attached_at": None, "detached_at": None, "attach_mode": "rw", "connection_info": {}}


def _nothing(name: str, path: str, key: str, rule: str) -> Any:
    @wsgi.route("GET", path, policy=rule)
    @wsgi.version(base="3.0")
    @wsgi.response(200)
    @validation.schema(FORMATS.nothing)
    def nothing(self: Any, req: wsgi.Request, obj: None, params: wsgi.NoParams) -> dict[str, Any]:
        """A listing of what does not exist here."""
        return {"document": {key: []}}

    nothing.__name__ = name
    return nothing


class EmptyController(wsgi.Controller):
    resource = "empty"

    for _path, _key, _rule in EMPTY:
        _name = _path[1:].replace("/", "_").replace("-", "_")
        locals()[_name] = _nothing(_name, _path, _key, _rule)
