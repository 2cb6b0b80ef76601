"""A server's live migrations under way: there are none on one host, and the answers are Nova's for that."""

from __future__ import annotations

from typing import Any, TypedDict

from nova_lite import exceptions, objects, schemas
from nova_lite.api import validation, wsgi
from nova_lite.compute import states

_POLICY = "os_compute_api:servers:migrations"
_ALL = "/servers/{server_id}/migrations"
_ONE = f"{_ALL}/{{migration_id}}"


class OneParams(TypedDict):
    migration_id: str


class ServerMigrationsController(wsgi.Controller):
    resource = "server_migrations"
    resource_obj_cls = objects.Instance

    @wsgi.route("GET", _ALL, policy=f"{_POLICY}:index")
    @wsgi.version(base="2.23", max="2.104")
    @wsgi.response(200)
    @wsgi.expected_errors(404)
    @validation.schema(schemas.server_migrations.index)
    def index(self, req: wsgi.Request, obj: objects.Instance, params: wsgi.NoParams) -> dict[str, Any]:
        """List a server's live migrations that are under way.

        Always empty: there is one host.
        """
        return {"migrations": []}

    @wsgi.route("GET", _ONE, policy=f"{_POLICY}:show")
    @wsgi.version(base="2.23", max="2.104")
    @wsgi.response(200)
    @wsgi.expected_errors(404)
    @validation.schema(schemas.server_migrations.show)
    def show(self, req: wsgi.Request, obj: objects.Instance, params: OneParams) -> dict[str, Any]:
        """Show a live migration of a server that is under way.

        Always 404, which says whether there is such a record at all.
        """
        given = params["migration_id"]
        found = self.compute.migration_of(obj, _number(given))
        if found is None:
            message = f"In-progress live migration {given} is not found for server {obj.uuid}."
        elif found.migration_type != "live-migration":
            message = f"Migration {given} for server {obj.uuid} is not live-migration."
        else:
            message = f"Live migration {given} for server {obj.uuid} is not in progress."
        raise exceptions.NotFound(message)

    @wsgi.action("force_complete", path=f"{_ONE}/action", policy=f"{_POLICY}:force_complete")
    @wsgi.verb(states.FORCE_COMPLETE)
    @wsgi.version(base="2.22", max="2.104")
    @wsgi.response(202)
    @wsgi.expected_errors(400, 404, 409)
    @validation.schema(schemas.server_migrations.force_complete)
    def force_complete(self, req: wsgi.Request, obj: objects.Instance, params: OneParams) -> None:
        """End a live migration of a server at once.

        Always 409: no server is on its way.
        """
        self.compute.force_complete(req.context, obj, _number(params["migration_id"]))

    @wsgi.route("DELETE", _ONE, policy=f"{_POLICY}:delete")
    @wsgi.verb(states.ABORT_MIGRATION)
    @wsgi.version(base="2.24", max="2.104")
    @wsgi.response(202)
    @wsgi.expected_errors(400, 404, 409)
    def delete(self, req: wsgi.Request, obj: objects.Instance, params: OneParams) -> None:
        """Give a live migration of a server up.

        Always 409: no server is on its way.
        """
        self.compute.abort_migration(req.context, obj, _number(params["migration_id"]))


def _number(text: str) -> int:
    """Of a record; one that there never is, for what is no number."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else -1
