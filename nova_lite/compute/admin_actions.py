"""What administrators do to a server's row: resetting its state, and what Nova keeps of network injection."""

from __future__ import annotations

from nova_lite import objects
from nova_lite.compute import states
from nova_lite.compute.accepting import AcceptingVerbs
from nova_lite.context import RequestContext
from nova_lite.db import instances as db_instances
from nova_lite.db.times import now


class AdminVerbs(AcceptingVerbs):
    """The actions os-resetState and injectNetworkInfo."""

    def reset_state(self, context: RequestContext, instance: objects.Instance, vm_state: str) -> None:
        """Say that a server is ``active`` or in ``error``, and idle. What its VM does is not changed."""
        with self.database.write() as connection:
            current = self._lock_row(connection, instance)
            self._journal(connection, context, current, states.RESET_STATE, {"state": vm_state}, state="done")
            values = {"vm_state": vm_state, "task_state": None, "updated_at": now()}
            db_instances.update(connection, current.uuid, values)

    def inject_network_info(self, context: RequestContext, instance: objects.Instance) -> None:
        """Nothing, as under KVM: guests learn of their networks by DHCP. Conflict when the server is locked."""
        states.check_lock(instance, bool(context.is_admin))
