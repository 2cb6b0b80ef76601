"""Records of migrations, as controllers see them, and live migration, which needs a second host."""

from __future__ import annotations

from typing import Any

from nova_lite import exceptions, objects
from nova_lite.compute import states
from nova_lite.compute.accepting import AcceptingVerbs
from nova_lite.context import RequestContext
from nova_lite.db import hosts as db_hosts
from nova_lite.db import instances as db_instances
from nova_lite.db import migration_records
from nova_lite.db import operations as db_operations
from nova_lite.db.times import now

#: states.LIVE_MIGRATE by the name that instance actions have for it.
_LIVE_MIGRATION = states.Verb("live-migration", None, None)


class MigrationVerbs(AcceptingVerbs):
    """GET /os-migrations, /servers/{server_id}/migrations, POST /servers/{server_id}/action (os-migrateLive)."""

    def list_migrations(
        self, context: RequestContext, filters: dict[str, Any], limit: int | None = None, marker: str | None = None
    ) -> list[objects.Migration]:
        """Records that match, the newest first. See ``nova_lite.db.migration_records.list_``."""
        with self.database.read() as connection:
            return migration_records.list_(connection, filters, limit, marker)

    def migration_of(self, instance: objects.Instance, migration_id: int) -> objects.Migration | None:
        """A server's record of that number."""
        with self.database.read() as connection:
            return migration_records.get(connection, instance.uuid, migration_id)

    def live_migrate(
        self, context: RequestContext, instance: objects.Instance, host: str | None, force: bool | None, wait: bool
    ) -> None:
        """Move an active or paused server to another host without a stop, which there is none of: it stays as it is.

        :param host: where to; ``force`` False: only if the scheduler agrees.
        :param wait: say why not at once; else the server's actions tell.
        :raises Invalid: ``host`` does not exist; with ``wait`` always.
        :raises Conflict: the server's lock or state.
        """
        with self.database.write() as connection:
            current = self._lock_row(connection, instance)
            states.check_lock(current, bool(context.is_admin))
            states.check(states.LIVE_MIGRATE, current)
            if host and host not in {node.host for node in db_hosts.list_nodes(connection)}:
                raise exceptions.Invalid(f"Compute host {host} could not be found.")
            message = "No valid host was found. There are not enough hosts available."
            if host == current.host and force is not False:
                message = f"Unable to migrate instance ({current.uuid}) to current host ({host})."
            migration_records.insert(
                connection,
                instance_uuid=current.uuid,
                migration_type="live-migration",
                status="error",
                source_compute=current.host,
                dest_compute=host or None,
                user_id=context.user_id,
                project_id=context.project_id,
            )
            operation_id = self._journal(
                connection, context, current, _LIVE_MIGRATION, {}, state="failed", message=message
            )
            event = "conductor_live_migrate_instance"
            db_operations.record_event(connection, operation_id, event, None, "Error", message)
            columns = {"updated_at": now(), **db_instances.fault_columns(500, message)}
            db_instances.update(connection, current.uuid, columns)
        if wait:
            raise exceptions.Invalid(message)

    def force_complete(self, context: RequestContext, instance: objects.Instance, migration_id: int) -> None:
        """End a live migration at once. Conflict, as no server is under way."""
        self._check_under_way(context, instance, states.FORCE_COMPLETE, migration_id, "force complete")

    def abort_migration(self, context: RequestContext, instance: objects.Instance, migration_id: int) -> None:
        """Give a live migration up. Conflict, as no server is under way."""
        self._check_under_way(context, instance, states.ABORT_MIGRATION, migration_id, "abort live migration")

    def _check_under_way(
        self, context: RequestContext, instance: objects.Instance, verb: states.Verb, migration_id: int, what: str
    ) -> None:
        with self.database.read() as connection:
            current = db_instances.get(connection, instance.uuid) or instance
            states.check_lock(current, bool(context.is_admin))
            states.check(verb, current)
            found = migration_records.get(connection, current.uuid, migration_id)
        if found is None:
            raise exceptions.NotFound(f"Migration {migration_id} not found for instance {current.uuid}")
        raise exceptions.Invalid(
            f"Migration {found.id} state of instance {current.uuid} is {found.status}. "
            f"Cannot {what} while the migration is in this state."
        )
