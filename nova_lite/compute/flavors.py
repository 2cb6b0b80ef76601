"""Flavors: the verbs of controllers, and the ones that ship."""

from __future__ import annotations

import uuid as uuidlib

import sqlalchemy as sa
from oslo_config import cfg

from nova_lite import exceptions, objects
from nova_lite.context import RequestContext
from nova_lite.db import flavors as db_flavors
from nova_lite.db.engine import Connection, Database
from nova_lite.db.tables import flavors

# id, name, vCPUs, MiB, GiB: DevStack's names, ids and sizes, and a smaller one. Servers have no disks yet, so GiB are 0
# for those that boot a bare kernel, and DevStack's for the rest.
SHIPPED = (
    ("40", "m1.pico", 1, 16, 0),
    ("42", "m1.nano", 1, 64, 0),
    ("84", "m1.micro", 1, 128, 0),
    ("1", "m1.tiny", 1, 512, 1),
    ("2", "m1.small", 1, 2048, 20),
    ("3", "m1.medium", 2, 4096, 40),
    ("4", "m1.large", 4, 8192, 80),
    ("5", "m1.xlarge", 8, 16384, 160),
)


def seed(connection: Connection) -> None:
    """Write the shipped flavors into a database that has none."""
    if connection.execute(sa.select(flavors.c.id).limit(1)).first() is None:
        for flavorid, name, vcpus, memory_mb, root_gb in SHIPPED:
            db_flavors.insert(connection, objects.Flavor(flavorid, name, vcpus, memory_mb, root_gb))


class FlavorVerbs:
    """/flavors and what lies below."""

    conf: cfg.ConfigOpts
    database: Database

    def list_flavors(
        self,
        context: RequestContext,
        *,
        is_public: bool | None = True,
        min_ram: int | None = None,
        min_disk: int | None = None,
        sort_key: str = "flavorid",
        sort_dir: str = "asc",
        limit: int | None = None,
        marker: str | None = None,
        name: str | None = None,
    ) -> list[objects.Flavor]:
        """Flavors with their extra specs. Ties go by age.

        :param is_public: True or False; None for both. True counts those given to the caller's project in. An
            administrator sees disabled ones too; others see True, whatever is asked for, and none disabled.
        :param marker: flavorid of the last one of the previous page; Invalid when there is none.
        """
        seen: list[sa.ColumnElement[bool]] = []
        conditions: list[sa.ColumnElement[bool]] = []
        if not context.is_admin:
            seen += [flavors.c.disabled.is_(False), db_flavors.visible_to(context.project_id)]
        elif is_public:
            conditions.append(db_flavors.visible_to(context.project_id))
        elif is_public is not None:
            conditions.append(flavors.c.is_public.is_(False))
        if min_ram is not None:
            conditions.append(flavors.c.memory_mb >= min_ram)
        if min_disk is not None:
            conditions.append(flavors.c.root_gb >= min_disk)
        if name is not None:
            conditions.append(flavors.c.name == name)
        with self.database.read() as connection:
            return db_flavors.list_(connection, seen, conditions, sort_key, sort_dir, limit, marker)

    def get_flavor(self, context: RequestContext, flavorid: str) -> objects.Flavor:
        """NotFound for one that does not exist or that the caller's project may not use."""
        with self.database.read() as connection:
            flavor = db_flavors.get(connection, flavorid)
        if flavor is None or not (flavor.is_public or context.is_admin or context.project_id in flavor.projects):
            raise exceptions.FlavorNotFound(flavorid)
        return flavor

    def create_flavor(
        self,
        context: RequestContext,
        *,
        name: str,
        vcpus: int,
        memory_mb: int,
        root_gb: int = 0,
        ephemeral_gb: int = 0,
        swap: int = 0,
        rxtx_factor: float = 1.0,
        is_public: bool = True,
        flavorid: str | None = None,
        description: str | None = None,
    ) -> objects.Flavor:
        """Conflict when the name or the id is taken. An id is drawn when none is given (or "auto")."""
        if not flavorid or flavorid == "auto":
            flavorid = str(uuidlib.uuid4())
        flavor = objects.Flavor(
            flavorid=flavorid,
            name=name,
            vcpus=vcpus,
            memory_mb=memory_mb,
            root_gb=root_gb,
            ephemeral_gb=ephemeral_gb,
            swap=swap,
            rxtx_factor=rxtx_factor,
            is_public=is_public,
            description=description,
        )
        try:
            with self.database.write() as connection:
                if db_flavors.get_by_name(connection, name) is not None:
                    raise exceptions.Conflict(f"Flavor with name {name} already exists.")
                if db_flavors.get(connection, flavorid) is not None:
                    raise exceptions.Conflict(f"Flavor with ID {flavorid} already exists.")
                db_flavors.insert(connection, flavor)
        except sa.exc.IntegrityError as error:  # two at the same moment, on PostgreSQL
            raise exceptions.Conflict(f"Flavor with name {name} or ID {flavorid} already exists.") from error
        return flavor

    def update_flavor(self, context: RequestContext, flavor: objects.Flavor, description: str | None) -> objects.Flavor:
        """Set the description, the one thing of a flavor that may change."""
        with self.database.write() as connection:
            db_flavors.set_description(connection, flavor, description)
        flavor.description = description
        return flavor

    def delete_flavor(self, context: RequestContext, flavor: objects.Flavor) -> None:
        """Servers keep the sizes they were booted with."""
        with self.database.write() as connection:
            if not db_flavors.delete(connection, flavor):
                raise exceptions.FlavorNotFound(flavor.flavorid)

    def set_extra_specs(self, context: RequestContext, flavor: objects.Flavor, specs: dict[str, str]) -> objects.Flavor:
        """Add or replace extra specs; the others stay. Returns the flavor as it now is."""
        with self.database.write() as connection:
            current = self._current(connection, flavor)
            db_flavors.set_extra_specs(connection, current, {key: str(value) for key, value in specs.items()})
            return self._current(connection, flavor)

    def delete_extra_spec(self, context: RequestContext, flavor: objects.Flavor, key: str) -> None:
        """NotFound when the flavor has no such extra spec."""
        with self.database.write() as connection:
            if not db_flavors.delete_extra_spec(connection, flavor, key):
                raise exceptions.NotFound(f"Flavor {flavor.flavorid} has no extra specs with key {key}.")

    def add_flavor_access(self, context: RequestContext, flavor: objects.Flavor, project_id: str) -> objects.Flavor:
        """Let a project use a flavor that is not public. Conflict when it may already. Returns the flavor as it now is.

        Nova refuses a public flavor from microversion 2.7 on: that is the caller's to check.
        """
        with self.database.write() as connection:
            current = self._current(connection, flavor)
            if project_id in current.projects:
                raise exceptions.Conflict(
                    f"Flavor access already exists for flavor {flavor.flavorid} and project {project_id} combination."
                )
            db_flavors.add_project(connection, current, project_id)
            return self._current(connection, flavor)

    def remove_flavor_access(self, context: RequestContext, flavor: objects.Flavor, project_id: str) -> objects.Flavor:
        """Undo ``add_flavor_access``. NotFound when there is nothing to undo. Returns the flavor as it now is."""
        with self.database.write() as connection:
            if not db_flavors.remove_project(connection, flavor, project_id):
                raise exceptions.NotFound(f"Flavor access not found for {flavor.flavorid} / {project_id} combination.")
            return self._current(connection, flavor)

    def _current(self, connection: Connection, flavor: objects.Flavor) -> objects.Flavor:
        current = db_flavors.get(connection, flavor.flavorid)
        if current is None:
            raise exceptions.FlavorNotFound(flavor.flavorid)
        return current
