"""Migrations: the records of resizes, and of what was to go to another host."""

from __future__ import annotations

from datetime import datetime
from typing import Any, TypedDict

from nova_lite import exceptions, objects, schemas
from nova_lite.api import pages, validation, wsgi
from nova_lite.api.times import naive, rfc3339

_POLICY = "os_compute_api:os-migrations:index"
_FILTERS = (
    *("host", "instance_uuid", "source_compute", "status", "migration_type", "user_id", "project_id"),
    *("changes_since", "changes_before"),
)


class ListParams(TypedDict, total=False):
    changes_before: datetime
    changes_since: datetime
    hidden: str
    host: str
    instance_uuid: str
    limit: int
    marker: str
    migration_type: str
    project_id: str
    source_compute: str
    status: str
    user_id: str


class MigrationsController(wsgi.Controller):
    resource = "migrations"
    resource_obj_cls = None

    @wsgi.route("GET", "/os-migrations", v3="/migrations", policy=_POLICY)
    @wsgi.version(base="2.1")
    @wsgi.response(200)
    @wsgi.expected_errors(400, 403)
    @validation.schema(schemas.migrations.index)
    def index(self, req: wsgi.Request, obj: None, params: ListParams) -> dict[str, Any]:
        """List migrations.

        The records of resizes, and of migrations that found no host. From 2.59 on the newest first, in pages
        (``limit``, and ``marker``, a record's uuid). A caller who may not see every project's must name the own one
        (``project_id``, from 2.80). The hosts have a rule of their own.
        """
        given: dict[str, Any] = dict(params)
        if given.get("project_id") != req.context.project_id or not req.context.project_id:
            req.authorize(f"{_POLICY}:all_projects")
        since, before = given.get("changes_since"), given.get("changes_before")
        if since and before and before < since:
            raise exceptions.Invalid(
                "The value of changes-since must be less than or equal to changes-before."
            )
        paged, most = req.version >= (2, 59), self.compute.conf.api.max_limit
        found = self.compute.list_migrations(
            req.context,
            {name: given[name] for name in _FILTERS if name in given},
            limit=pages.page_size(given, most) if paged else None,
            marker=given.get("marker"),
        )
        with_hosts = req.allowed(f"{_POLICY}:host")
        path = "/migrations" if req.version >= (3, 0) else "/os-migrations"
        markers = [migration.uuid for migration in found]
        listed = [_facts(migration, with_hosts) for migration in (found if paged else reversed(found))]
        return {"migrations": listed} | pages.next_links(req, "migrations", path, markers, given, most)


def _facts(migration: objects.Migration, with_hosts: bool) -> dict[str, Any]:
    hosts = {
        "source_compute": migration.source_compute,
        "source_node": migration.source_compute,
        "dest_compute": migration.dest_compute,
        "dest_node": migration.dest_compute,
        "dest_host": migration.dest_host,
    }
    return {
        "id": migration.id,
        "uuid": migration.uuid,
        "instance_uuid": migration.instance_uuid,
        "migration_type": migration.migration_type,
        "status": migration.status,
        "old_instance_type_id": migration.old_flavor_id,
        "new_instance_type_id": migration.new_flavor_id,
        "user_id": migration.user_id,
        "project_id": migration.project_id,
        "created_at": rfc3339(migration.created_at),
        "created_at_naive": naive(migration.created_at),
        "updated_at": rfc3339(migration.updated_at),
        "updated_at_naive": naive(migration.updated_at),
    } | {name: value if with_hosts else None for name, value in hosts.items()}
