"""Migrate and os-migrateLive: on one host there is nowhere to go, and the answers say so as Nova's do."""

from __future__ import annotations

from typing import TypedDict

from nova_lite import exceptions, objects, schemas
from nova_lite.api import validation, wsgi
from nova_lite.api.controllers.operations import announce
from nova_lite.compute import states

_POLICY = "os_compute_api:os-migrate-server"


class MigrateParams(TypedDict, total=False):
    host: str | None


class MigrateLiveParams(TypedDict, total=False):
    block_migration: bool | str
    disk_over_commit: bool
    force: bool
    host: str | None


class MigrateServerController(wsgi.Controller):
    resource = "migrate_server"
    resource_obj_cls = objects.Instance

    @wsgi.action("migrate", policy=f"{_POLICY}:migrate")
    @wsgi.verb(states.MIGRATE)
    @wsgi.version(base="2.1")
    @wsgi.response(202)
    @wsgi.expected_errors(400, 403, 404, 409)
    @validation.schema(schemas.migrate_server.migrate)
    def migrate(self, req: wsgi.Request, obj: objects.Instance, params: MigrateParams) -> None:
        """Migrate a server, with a stop.

        Disks belong to one host here: no other can take the server. It stays as it is, with a fault, and its action
        ``migrate`` says "No valid host was found". 400 for a ``host`` (from 2.56) that does not exist or that the
        server is on.
        """
        host = params.get("host")
        if host:
            req.authorize(f"{_POLICY}:migrate:host", obj.policy_target())
        self.compute.migrate(req.context, obj, host)
        announce(req, self.compute, obj)

    @wsgi.action("os-migrateLive", v3="live_migrate", policy=f"{_POLICY}:migrate_live")
    @wsgi.verb(states.LIVE_MIGRATE)
    @wsgi.version(base="2.1", max="2.29")
    @wsgi.response(202)
    @wsgi.expected_errors(400, 403, 404, 409)
    @validation.schema(schemas.migrate_server.migrate_live)
    def migrate_live(self, req: wsgi.Request, obj: objects.Instance, params: MigrateLiveParams) -> None:
        """Migrate a server without a stop.

        Always 400: there is no other host. A given ``host`` is not the scheduler's to judge.
        """
        self._migrate_live(req, obj, params, None, wait=True)

    @wsgi.version(base="2.30", max="2.33")
    @wsgi.response(202)
    @wsgi.expected_errors(400, 403, 404, 409)
    @validation.schema(schemas.migrate_server.migrate_live)
    def migrate_live(  # type: ignore[no-redef]
        self, req: wsgi.Request, obj: objects.Instance, params: MigrateLiveParams
    ) -> None:
        """Migrate a server without a stop.

        Always 400: there is no other host. The scheduler judges a given ``host``, unless ``force`` says not to.
        """
        self._migrate_live(req, obj, params, params.get("force", False), wait=True)

    @wsgi.version(base="2.34")
    @wsgi.response(202)
    @wsgi.expected_errors(400, 403, 404, 409)
    @validation.schema(schemas.migrate_server.migrate_live)
    def migrate_live(  # type: ignore[no-redef]
        self, req: wsgi.Request, obj: objects.Instance, params: MigrateLiveParams
    ) -> None:
        """Migrate a server without a stop.

        No other host can take the server: it goes on where it is, with a fault, and its action ``live-migration`` says
        why. 400 for a ``host`` that does not exist.
        """
        self._migrate_live(req, obj, params, params.get("force", False), wait=False)

    def _migrate_live(
        self,
        req: wsgi.Request,
        obj: objects.Instance,
        params: MigrateLiveParams,
        force: bool | None,
        wait: bool,
    ) -> None:
        host = params.get("host") or None
        if host:
            req.authorize(f"{_POLICY}:migrate_live:host", obj.policy_target())
        if force and not host:
            raise exceptions.Invalid("Can't force to a non-provided destination")
        self.compute.live_migrate(req.context, obj, host, force, wait)
        announce(req, self.compute, obj)
