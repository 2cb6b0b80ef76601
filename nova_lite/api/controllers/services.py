"""Services: the compute service of each host, whether it is up and may take new servers."""

from __future__ import annotations

import uuid
from typing import Any, TypedDict

from nova_lite import exceptions, objects, schemas
from nova_lite.api import times, validation, wsgi

_COMPUTE = "nova-compute"


class ListParams(TypedDict, total=False):
    host: str
    binary: str


class UpdateParams(TypedDict, total=False):
    service_id: str
    host: str
    binary: str
    status: str
    disabled_reason: str
    forced_down: bool


class DeleteParams(TypedDict, total=False):
    service_id: str


class ServicesController(wsgi.Controller):
    """Services are looked up here and not by the infrastructure: until 2.52 a path may name an action instead."""

    resource = "services"

    @wsgi.route("GET", "/os-services", v3="/services", policy="os_compute_api:os-services:list")
    @wsgi.version(base="2.1")
    @wsgi.response(200)
    @wsgi.expected_errors()
    @validation.schema(schemas.services.index)
    def index(self, req: wsgi.Request, obj: None, params: ListParams) -> dict[str, Any]:
        """List the compute services.

        ``state`` is up while the heartbeat is fresh and nobody forced the service down; ``status`` says whether new
        servers may be put on its host. ``host`` and ``binary`` narrow the list.
        """
        services = self.compute.list_services(
            req.context, binary=params.get("binary") or None, host=params.get("host") or None
        )
        return {"services": [_view(service) for service in services]}

    @wsgi.route("PUT", "/os-services/{service_id}", v3="/services/{service_id}")
    @wsgi.version(base="2.1", max="2.52")
    @wsgi.response(200)
    @wsgi.expected_errors(400, 404)
    @validation.schema(schemas.services.update)
    def update(self, req: wsgi.Request, obj: None, params: UpdateParams) -> dict[str, Any]:
        """Change a service; the path names the action, the body host and binary."""
        action = params["service_id"]
        answer: dict[str, Any] = {"host": params["host"], "binary": params["binary"]}
        changes: dict[str, Any]
        if action == "enable":
            changes = {"disabled": False}
            answer["status"] = "enabled"
        elif action == "disable":
            changes = {"disabled": True}
            answer["status"] = "disabled"
        elif action == "disable-log-reason":
            if "disabled_reason" not in params:
                raise exceptions.Invalid("Missing disabled reason field")
            changes = {"disabled": True, "reason": params["disabled_reason"]}
            answer |= {"status": "disabled", "disabled_reason_given": params["disabled_reason"]}
        elif action == "force-down" and req.version >= (2, 11):
            if "forced_down" not in params:
                raise exceptions.Invalid("Missing forced_down field")
            changes = {"forced_down": params["forced_down"]}
            answer |= changes
        else:
            raise exceptions.NotFound("Unknown action")
        _check_binary(params["binary"])
        found = self.compute.list_services(req.context, binary=params["binary"], host=params["host"])
        if not found:
            raise exceptions.NotFound(f"Could not find binary {params['binary']} on host {params['host']}.")
        self.compute.update_service(req.context, found[0], **changes)
        return answer

    @wsgi.route(
        "PUT", "/os-services/{service_id}", v3="/services/{service_id}", policy="os_compute_api:os-services:update"
    )
    @wsgi.version(base="2.53")
    @wsgi.response(200)
    @wsgi.expected_errors(400, 404)
    @validation.schema(schemas.services.update)
    def update(self, req: wsgi.Request, obj: None, params: UpdateParams) -> dict[str, Any]:
        """Change a service.

        ``status`` disabled (with a ``disabled_reason`` or without) keeps new servers off its host; servers that run
        there go on. ``forced_down`` declares it down before its heartbeat ends. Until 2.52 the path names an action
        instead of a service (enable, disable, disable-log-reason and, from 2.11 on, force-down) and the body names
        host and binary.
        """
        service = self._find(req, params["service_id"])
        _check_binary(service.binary)
        changes: dict[str, Any] = {}
        if "status" in params:
            changes["disabled"] = params["status"] == "disabled"
            if changes["disabled"]:
                changes["reason"] = params.get("disabled_reason")
            elif "disabled_reason" in params:
                raise exceptions.Invalid("Specifying 'disabled_reason' with status 'enabled' is invalid.")
        if "forced_down" in params:
            changes["forced_down"] = params["forced_down"]
        if not changes:
            raise exceptions.Invalid("No updates were requested. Fields 'status' or 'forced_down' should be specified.")
        return _view(self.compute.update_service(req.context, service, **changes))

    @wsgi.route(
        "DELETE", "/os-services/{service_id}", v3="/services/{service_id}", policy="os_compute_api:os-services:delete"
    )
    @wsgi.version(base="2.1")
    @wsgi.response(204)
    @wsgi.expected_errors(400, 404, 409)
    def delete(self, req: wsgi.Request, obj: None, params: DeleteParams) -> None:
        """Delete the record of a compute service.

        For a host that is gone for good. 409 while servers are on the host. A service that still runs registers itself
        again with its next heartbeat.
        """
        self.compute.delete_service(req.context, self._find(req, params["service_id"]))

    def _find(self, req: wsgi.Request, identifier: str) -> objects.Service:
        """The service that a path names: by uuid from 2.53 on, by number before."""
        if req.version >= (2, 53):
            try:
                return self.compute.get_service(req.context, str(uuid.UUID(identifier)))
            except ValueError as error:
                raise exceptions.Invalid(f"Invalid uuid {identifier}") from error
        if not (identifier.isascii() and identifier.isdecimal()):
            raise exceptions.Invalid(f"Invalid input received: id must be an integer, not {identifier}")
        return self.compute.get_service(req.context, int(identifier))


def _check_binary(binary: str) -> None:
    if binary != _COMPUTE:
        raise exceptions.Invalid(
            f"Updating a {binary} service is not supported. Only {_COMPUTE} services can be updated."
        )


def _view(service: objects.Service) -> dict[str, Any]:
    return {
        "id": service.id,
        "uuid": service.uuid,
        "binary": service.binary,
        "host": service.host,
        "zone": service.zone,
        "status": "disabled" if service.disabled else "enabled",
        "state": service.state,
        "forced_down": service.forced_down,
        "disabled_reason": service.disabled_reason,
        "updated_at": times.rfc3339(service.updated_at),
        "updated_at_naive": times.naive(service.updated_at),
    }
