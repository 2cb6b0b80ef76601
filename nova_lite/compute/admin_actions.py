"""Actions that need no work of the host: a state is reset, a password cannot be set, networks are injected nowhere."""

from __future__ import annotations

from nova_lite import exceptions, objects
from nova_lite.compute import states
from nova_lite.compute.accepting import AcceptingVerbs
from nova_lite.context import RequestContext
from nova_lite.db import instances as db_instances
from nova_lite.db import operations as db_operations
from nova_lite.db.times import now


class AdminVerbs(AcceptingVerbs):
    """The actions os-resetState, changePassword and injectNetworkInfo."""

    def reset_state(self, context: RequestContext, instance: objects.Instance, vm_state: str) -> None:
        """Say that a server is ``active`` or in ``error``, and idle. What its VM does is not changed."""
        with self.database.write() as connection:
            current = self._lock_row(connection, instance)
            self._journal(connection, context, current, states.RESET_STATE, {"state": vm_state}, state="done")
            values = {"vm_state": vm_state, "task_state": None, "updated_at": now()}
            db_instances.update(connection, current.uuid, values)

    def change_password(self, context: RequestContext, instance: objects.Instance) -> None:
        """Conflict, in any case: no guest agent can be reached that could set it. The attempt is on record.

        :raises Conflict: also when the server is not active, or locked.
        """
        has_agent = instance.image_properties.get("hw_qemu_guest_agent", "").lower() in ("yes", "true", "1", "on")
        reason = "QEMU guest agent is not enabled"
        if has_agent:
            reason = f"Failed to set admin password on {instance.uuid} because error setting admin password"
        with self.database.write() as connection:
            current = self._lock_row(connection, instance)
            states.check_lock(current, bool(context.is_admin))
            states.check(states.CHANGE_PASSWORD, current)
            operation = self._journal(
                connection, context, current, states.CHANGE_PASSWORD, {}, state="failed", message=reason
            )
            event = "compute_set_admin_password"
            db_operations.record_event(connection, operation, event, current.host, "Error", reason)
        raise exceptions.Conflict(reason)

    def inject_network_info(self, context: RequestContext, instance: objects.Instance) -> None:
        """Nothing, as under KVM: guests learn of their networks by DHCP. Conflict when the server is locked."""
        states.check_lock(instance, bool(context.is_admin))
