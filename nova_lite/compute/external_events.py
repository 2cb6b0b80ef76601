"""Events that other services of a cloud tell servers of.

Most have nothing to do here: addresses are read where they are needed, and nobody waits for a card or a volume.
"""

from __future__ import annotations

import logging

from nova_lite import exceptions, objects
from nova_lite.compute import states
from nova_lite.compute.interfaces import InterfaceVerbs
from nova_lite.context import RequestContext
from nova_lite.db import instances as db_instances

LOG = logging.getLogger(__name__)

_NEED_TAG = ("volume-extended", "power-update", "accelerator-request-bound")
_POWER = {"POWER_ON": (states.START, "stopped"), "POWER_OFF": (states.STOP, "active")}


class ExternalEventVerbs(InterfaceVerbs):
    """POST /os-server-external-events."""

    def take_event(self, context: RequestContext, server_id: str, name: str, tag: str | None = None) -> int:
        """One event; Nova's code for what became of it.

        404: no such server. 400: an event that needs a tag has none. 422: the server has no host. 200: taken.
        ``power-update`` with POWER_ON or POWER_OFF starts or stops a server that is at rest in the other state;
        ``network-vif-deleted`` takes the card of that port from it; what its state does not allow is left.
        """
        with self.database.read() as connection:
            instance = db_instances.get(connection, server_id)
        if instance is None or instance.deleted:
            return 404
        if name in _NEED_TAG and tag is None:
            return 400
        if not instance.host:
            return 422
        try:
            if name == "power-update":
                self._power(context, instance, str(tag))
            elif name == "network-vif-deleted" and tag is not None:
                self.detach_interface(context, instance, tag)
        except (exceptions.Conflict, exceptions.NotFound) as error:
            LOG.info("Event %s:%s of server %s has no effect: %s", name, tag, server_id, error)
        return 200

    def _power(self, context: RequestContext, instance: objects.Instance, tag: str) -> None:
        verb, vm_state = _POWER.get(tag, (None, None))
        if verb is None or instance.vm_state != vm_state:
            LOG.info(
                "Event power-update:%s of server %s has no effect: it is %s", tag, instance.uuid, instance.vm_state
            )
            return
        self._accept(context, instance, verb)
