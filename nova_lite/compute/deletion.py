"""Deleting servers: at once, or, where the option reclaim_instance_interval says so, with time to think again."""

from __future__ import annotations

from dataclasses import replace

from oslo_config import cfg

from nova_lite import objects
from nova_lite.compute import quotas, states
from nova_lite.compute.accepting import AcceptingVerbs
from nova_lite.context import RequestContext
from nova_lite.db import images as db_images
from nova_lite.db import instances as db_instances
from nova_lite.db import operations as db_operations
from nova_lite.db.engine import Connection


class DeleteVerbs(AcceptingVerbs):
    """DELETE /servers/{id} and the actions forceDelete and restore."""

    conf: cfg.ConfigOpts

    def delete(self, context: RequestContext, instance: objects.Instance) -> None:
        """Remove a server, whatever its state or task. Accepted work on it that has not ended is given up.

        With reclaim_instance_interval one that has come up once is only switched off and hidden, until that time is
        over or it is restored. Conflict only when it is locked and the caller is no administrator. Repeating it is
        harmless.
        """
        soft = self.conf.compute.reclaim_instance_interval > 0 and instance.launched_at is not None
        self._delete(context, instance, states.SOFT_DELETE if soft else states.DELETE)

    def force_delete(self, context: RequestContext, instance: objects.Instance) -> None:
        """As ``delete``, at once in any case."""
        self._delete(context, instance, states.DELETE)

    def restore(self, context: RequestContext, instance: objects.Instance) -> None:
        """Bring a server back that was deleted and has not been reclaimed yet; it is started.

        :raises OverQuota: the project has no room for it any more.
        :raises Conflict: it is not SOFT_DELETED, or locked.
        """
        with self.database.write() as connection:
            current = self._lock_row(connection, instance)
            states.check_lock(current, bool(context.is_admin))
            states.check(states.RESTORE, current)
            self.database.lock(connection, f"quota:{current.project_id}")
            quotas.fitting_count(connection, self.conf, current.project_id, current.flavor, 1, 1, current.user_id)
            self._journal(connection, context, current, states.RESTORE, {})
        self._poke(current.host)

    def _delete(self, context: RequestContext, instance: objects.Instance, verb: states.Verb) -> None:
        with self.database.write() as connection:
            current = self._lock_row(connection, instance)
            states.check_lock(current, bool(context.is_admin))
            under_way = current.task_state in (verb.task_state, states.DELETE.task_state)
            if under_way and db_operations.is_outstanding(connection, current.uuid, verb.action):
                return
            if verb is states.SOFT_DELETE and current.vm_state == "soft-delete" and current.task_state is None:
                return
            if verb is states.SOFT_DELETE and not current.host:
                verb = states.DELETE  # there is nothing that could be started again
            db_operations.supersede(connection, current.uuid, "Given up: the server is being deleted.")
            if verb is states.SOFT_DELETE and current.vm_state != "shelved":
                self._journal(connection, context, current, verb, {"soft": True})
            else:
                self._delete_now(connection, context, current)
        self._poke(current.host or current.system_metadata.get(states.SHELVED_HOST, ""))

    def _delete_now(self, connection: Connection, context: RequestContext, current: objects.Instance) -> None:
        shelved_image = current.system_metadata.get(states.SHELVED_IMAGE)
        if shelved_image is not None:
            db_images.mark_deleted(connection, shelved_image)
        host = current.host or current.system_metadata.get(states.SHELVED_HOST, "")
        if host:  # what there is of its files and volumes is there
            self._journal(connection, context, replace(current, host=host), states.DELETE, {})
            return
        # It never got a host: nothing to undo anywhere.
        operation_id = self._journal(connection, context, current, states.DELETE, {}, state="done")
        db_operations.record_event(connection, operation_id, "compute_terminate_instance", None, "Success")
        db_instances.mark_deleted(connection, current.uuid)


