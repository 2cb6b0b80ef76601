"""Locks that keep everybody but administrators from changing a server."""

from __future__ import annotations

from nova_lite import objects
from nova_lite.compute import states
from nova_lite.compute.accepting import AcceptingVerbs
from nova_lite.context import RequestContext
from nova_lite.db import instances as db_instances
from nova_lite.db.times import now


class LockVerbs(AcceptingVerbs):
    """The actions lock and unlock."""

    def lock(self, context: RequestContext, instance: objects.Instance, reason: str | None = None) -> None:
        """Refuse changes by anyone but administrators. An owner cannot change a lock that is already there."""
        is_owner = instance.project_id == context.project_id
        with self.database.write() as connection:
            current = self._lock_row(connection, instance)
            if current.locked and is_owner:
                return
            self._journal(connection, context, current, states.LOCK, {}, state="done")
            db_instances.update(
                connection,
                current.uuid,
                {
                    "locked": True,
                    "locked_by": "owner" if is_owner else "admin",
                    "locked_reason": reason,
                    "updated_at": now(),
                },
            )

    def unlock(self, context: RequestContext, instance: objects.Instance) -> None:
        """Undo ``lock``. Whether the caller may undo an administrator's lock is the policy's matter
        (``unlock:unlock_override`` where ``is_expected_locked_by`` is false)."""
        with self.database.write() as connection:
            current = self._lock_row(connection, instance)
            self._journal(connection, context, current, states.UNLOCK, {}, state="done")
            db_instances.update(
                connection,
                current.uuid,
                {"locked": False, "locked_by": None, "locked_reason": None, "updated_at": now()},
            )

    def is_expected_locked_by(self, context: RequestContext, instance: objects.Instance) -> bool:
        """Whether the lock, if any, was set by the kind of caller that this one is (owner or administrator)."""
        expected = "owner" if instance.project_id == context.project_id else "admin"
        return not instance.locked_by or instance.locked_by == expected
