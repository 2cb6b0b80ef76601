"""The tags of a server, from 2.26 on: words to find it by."""

from __future__ import annotations

import re
from typing import Any, TypedDict

from nova_lite import exceptions, objects, schemas
from nova_lite.api import validation, wsgi
from nova_lite.compute import states
from nova_lite.schemas.parameter_types import tag as _TAG

_POLICY = "os_compute_api:os-server-tags"
_ALL = "/servers/{server_id}/tags"
_ONE = _ALL + "/{tag}"


class AllParams(TypedDict):
    tags: list[str]


class TagParams(TypedDict):
    tag: str


class ServerTagsController(wsgi.Controller):
    resource = "server_tags"
    resource_obj_cls = objects.Instance

    @wsgi.route("GET", _ALL, policy=f"{_POLICY}:index")
    @wsgi.version(base="2.26")
    @wsgi.response(200, version="2.26")
    @wsgi.expected_errors(404)
    @validation.schema(schemas.server_tags.index)
    def index(self, req: wsgi.Request, obj: objects.Instance, params: wsgi.NoParams) -> dict[str, Any]:
        """List the tags of a server."""
        return {"tags": obj.tags}

    @wsgi.route("PUT", _ALL, policy=f"{_POLICY}:update_all")
    @wsgi.verb(states.UPDATE_TAGS)
    @wsgi.version(base="2.26")
    @wsgi.response(200, version="2.26")
    @wsgi.expected_errors(400, 404, 409)
    @validation.schema(schemas.server_tags.update_all)
    def update_all(self, req: wsgi.Request, obj: objects.Instance, params: AllParams) -> dict[str, Any]:
        """Replace the tags of a server.

        Allowed in ACTIVE, PAUSED, SUSPENDED and SHUTOFF, as everything that changes tags; a lock does not matter.
        """
        return {"tags": self.compute.replace_tags(req.context, obj, params["tags"])}

    @wsgi.route("DELETE", _ALL, policy=f"{_POLICY}:delete_all")
    @wsgi.verb(states.DELETE_TAGS)
    @wsgi.version(base="2.26")
    @wsgi.response(204, version="2.26")
    @wsgi.expected_errors(404, 409)
    def delete_all(self, req: wsgi.Request, obj: objects.Instance, params: wsgi.NoParams) -> None:
        """Remove all tags of a server."""
        self.compute.delete_tags(req.context, obj)

    @wsgi.route("GET", _ONE, policy=f"{_POLICY}:show")
    @wsgi.version(base="2.26")
    @wsgi.response(204, version="2.26")
    @wsgi.expected_errors(404)
    @validation.schema(schemas.server_tags.show)
    def show(self, req: wsgi.Request, obj: objects.Instance, params: TagParams) -> None:
        """Check whether a server has a tag: 204, or 404."""
        if params["tag"] not in obj.tags:
            raise exceptions.NotFound(f"Server {obj.uuid} has no tag '{params['tag']}'")

    @wsgi.route("PUT", _ONE, policy=f"{_POLICY}:update")
    @wsgi.verb(states.UPDATE_TAG)
    @wsgi.version(base="2.26")
    @wsgi.response(201, version="2.26", or_else=204)
    @wsgi.expected_errors(400, 404, 409)
    def update(self, req: wsgi.Request, obj: objects.Instance, params: TagParams) -> None:
        """Add a tag to a server.

        201 with the tag's ``Location`` when it is new, 204 when the server had it. A server has at most 50.
        """
        tag = params["tag"]
        if not re.fullmatch(_TAG["pattern"], tag) or len(tag) > _TAG["maxLength"]:
            raise exceptions.Invalid(
                f"Tag '{tag}' is invalid. It must be a non empty string without characters '/' and ',', "
                f"of at most {_TAG['maxLength']} characters."
            )
        if self.compute.add_tag(req.context, obj, tag):
            req.set_header("Location", req.url(f"/servers/{obj.uuid}/tags/{tag}"))
        else:
            req.answer_with(204)

    @wsgi.route("DELETE", _ONE, policy=f"{_POLICY}:delete")
    @wsgi.verb(states.DELETE_TAG)
    @wsgi.version(base="2.26")
    @wsgi.response(204, version="2.26")
    @wsgi.expected_errors(404, 409)
    def delete(self, req: wsgi.Request, obj: objects.Instance, params: TagParams) -> None:
        """Remove a tag of a server."""
        self.compute.delete_tag(req.context, obj, params["tag"])
