"""Shares of a server: there is no service of shares beside this one, and the answers are Nova's for that."""

from __future__ import annotations

from typing import Any, TypedDict

from nova_lite import exceptions, objects, schemas
from nova_lite.api import validation, wsgi
from nova_lite.compute import states

_POLICY = "os_compute_api:os-server-shares"
_ALL = "/servers/{server_id}/shares"
_ONE = f"{_ALL}/{{share_id}}"


class CreateParams(TypedDict, total=False):
    share_id: str
    tag: str


class OneParams(TypedDict):
    share_id: str


class ServerSharesController(wsgi.Controller):
    resource = "server_shares"
    resource_obj_cls = objects.Instance

    @wsgi.route("GET", _ALL, policy=f"{_POLICY}:index")
    @wsgi.version(base="2.97", max="2.104")
    @wsgi.response(200)
    @wsgi.expected_errors(400, 403, 404)
    @validation.schema(schemas.server_shares.index)
    def index(self, req: wsgi.Request, obj: objects.Instance, params: wsgi.NoParams) -> dict[str, Any]:
        """List the shares of a server.

        Always empty: there is no service of shares.
        """
        return {"shares": []}

    @wsgi.route("POST", _ALL, policy=f"{_POLICY}:create")
    @wsgi.verb(states.ATTACH_SHARE)
    @wsgi.version(base="2.97", max="2.104")
    @wsgi.response(201)
    @wsgi.expected_errors(400, 403, 404, 409)
    @validation.schema(schemas.server_shares.create)
    def create(self, req: wsgi.Request, obj: objects.Instance, params: CreateParams) -> dict[str, Any]:
        """Attach a share to a server.

        Always 404 for a server that is stopped, 409 for another: no share is there to be attached.
        """
        states.check(states.ATTACH_SHARE, obj)
        raise _not_found(params["share_id"])

    @wsgi.route("GET", _ONE, policy=f"{_POLICY}:show")
    @wsgi.version(base="2.97", max="2.104")
    @wsgi.response(200)
    @wsgi.expected_errors(400, 403, 404)
    @validation.schema(schemas.server_shares.show)
    def show(self, req: wsgi.Request, obj: objects.Instance, params: OneParams) -> dict[str, Any]:
        """Show a share of a server.

        Always 404: no server has one.
        """
        raise _not_found(params["share_id"])

    @wsgi.route("DELETE", _ONE, policy=f"{_POLICY}:delete")
    @wsgi.verb(states.DETACH_SHARE)
    @wsgi.version(base="2.97", max="2.104")
    @wsgi.response(200)
    @wsgi.expected_errors(400, 403, 404, 409)
    def delete(self, req: wsgi.Request, obj: objects.Instance, params: OneParams) -> None:
        """Detach a share from a server.

        Always 404 for a server that is stopped or failed, 409 for another: no server has a share.
        """
        states.check(states.DETACH_SHARE, obj)
        raise _not_found(params["share_id"])


def _not_found(share_id: str) -> exceptions.NotFound:
    return exceptions.NotFound(f"Share {share_id} could not be found.")
