"""The metadata of a server: what its owner notes about it, and its guest can read."""

from __future__ import annotations

from typing import Any, TypedDict

from nova_lite import exceptions, objects, schemas
from nova_lite.api import validation, wsgi
from nova_lite.compute import states

_POLICY = "os_compute_api:server-metadata"
_ALL = "/servers/{server_id}/metadata"
_ONE = _ALL + "/{key}"


class AllParams(TypedDict):
    metadata: dict[str, str]


class KeyParams(TypedDict):
    key: str


class OneParams(KeyParams):
    item: dict[str, str]


class ServerMetadataController(wsgi.Controller):
    resource = "server_metadata"
    resource_obj_cls = objects.Instance

    @wsgi.route("GET", _ALL, policy=f"{_POLICY}:index")
    @wsgi.version(base="2.1")
    @wsgi.response(200)
    @wsgi.expected_errors(404)
    @validation.schema(schemas.server_metadata.index)
    def index(self, req: wsgi.Request, obj: objects.Instance, params: wsgi.NoParams) -> dict[str, Any]:
        """List the metadata of a server."""
        return {"metadata": obj.metadata}

    @wsgi.route("POST", _ALL, policy=f"{_POLICY}:create")
    @wsgi.verb(states.UPDATE_METADATA)
    @wsgi.version(base="2.1")
    @wsgi.response(200)
    @wsgi.expected_errors(400, 403, 404, 409)
    @validation.schema(schemas.server_metadata.create)
    def create(self, req: wsgi.Request, obj: objects.Instance, params: AllParams) -> dict[str, Any]:
        """Add items to a server's metadata.

        Those that are there already get the new value; the others stay. The answer has all of them. Allowed in ACTIVE,
        PAUSED, SUSPENDED and SHUTOFF, whatever is being done to the server.
        """
        return {"metadata": self.compute.update_metadata(req.context, obj, params["metadata"], replace=False)}

    @wsgi.route("PUT", _ALL, policy=f"{_POLICY}:update_all")
    @wsgi.verb(states.UPDATE_METADATA)
    @wsgi.version(base="2.1")
    @wsgi.response(200)
    @wsgi.expected_errors(400, 403, 404, 409)
    @validation.schema(schemas.server_metadata.update_all)
    def update_all(self, req: wsgi.Request, obj: objects.Instance, params: AllParams) -> dict[str, Any]:
        """Replace the metadata of a server."""
        return {"metadata": self.compute.update_metadata(req.context, obj, params["metadata"], replace=True)}

    @wsgi.route("GET", _ONE, policy=f"{_POLICY}:show")
    @wsgi.version(base="2.1")
    @wsgi.response(200)
    @wsgi.expected_errors(404)
    @validation.schema(schemas.server_metadata.show)
    def show(self, req: wsgi.Request, obj: objects.Instance, params: KeyParams) -> dict[str, Any]:
        """Show one item of a server's metadata."""
        key = params["key"]
        if key not in obj.metadata:
            raise exceptions.NotFound("Metadata item was not found")
        return {"item": {key: obj.metadata[key]}}

    @wsgi.route("PUT", _ONE, policy=f"{_POLICY}:update")
    @wsgi.verb(states.UPDATE_METADATA)
    @wsgi.version(base="2.1")
    @wsgi.response(200)
    @wsgi.expected_errors(400, 403, 404, 409)
    @validation.schema(schemas.server_metadata.update)
    def update(self, req: wsgi.Request, obj: objects.Instance, params: OneParams) -> dict[str, Any]:
        """Set one item of a server's metadata."""
        if params["key"] not in params["item"]:
            raise exceptions.Invalid("Request body and URI mismatch")
        self.compute.update_metadata(req.context, obj, params["item"], replace=False)
        return {"item": params["item"]}

    @wsgi.route("DELETE", _ONE, policy=f"{_POLICY}:delete")
    @wsgi.verb(states.DELETE_METADATA)
    @wsgi.version(base="2.1")
    @wsgi.response(204)
    @wsgi.expected_errors(404, 409)
    def delete(self, req: wsgi.Request, obj: objects.Instance, params: KeyParams) -> None:
        """Remove one item of a server's metadata."""
        self.compute.delete_metadata(req.context, obj, params["key"])
