"""What comes to servers and leaves them while they are there: network cards and volumes."""

from __future__ import annotations

import logging

from nova_lite import objects
from nova_lite.compute import attachments, states
from nova_lite.compute.plans.base import Plan
from nova_lite.compute.server_host import Host
from nova_lite.hv.driver import DriverError

LOG = logging.getLogger(__name__)

#: Seconds that a guest gets to let go of a card before that is taken from it all the same.
CARD_PATIENCE = 5.0


def _connect_interface(host: Host, instance: objects.Instance, operation: objects.Operation) -> None:
    host.wiring.connect(instance)


def _plug_interface(host: Host, instance: objects.Instance, operation: objects.Operation) -> None:
    """Into a VM that is on; one that cannot have it now has it when it is started next."""
    port_id = str(operation.args["port_id"])
    nic = host.wiring.nic(instance, port_id)
    if nic is None:
        return
    try:
        if host.driver.attach_nic(instance.uuid, nic):
            host.wiring.plugged(port_id)
    except DriverError as error:
        LOG.warning("Server %s gets its card %s when it is started next: %s", instance.uuid, port_id, error)


def _unplug_interface(host: Host, instance: objects.Instance, operation: objects.Operation) -> None:
    """Ask the guest; whatever it does, nothing comes through the card from the next step on."""
    nic = host.wiring.nic(instance, str(operation.args["port_id"]))
    if nic is None:
        return
    try:
        if not host.driver.detach_nic(instance.uuid, nic.id, CARD_PATIENCE):
            LOG.info("Server %s keeps the card %s, which is dead, until it is started next", instance.uuid, nic.id)
    except DriverError as error:
        LOG.warning("Server %s cannot be asked for its card %s: %s", instance.uuid, nic.id, error)


def _detach_interface(host: Host, instance: objects.Instance, operation: objects.Operation) -> None:
    host.wiring.release(instance, str(operation.args["port_id"]))


def _attach_volume(host: Host, instance: objects.Instance, operation: objects.Operation) -> None:
    host.attachments.attach(instance, operation)


def _detach_volume(host: Host, instance: objects.Instance, operation: objects.Operation) -> None:
    host.attachments.detach(instance, operation)


PLANS = {
    "attach_interface": Plan(
        states.ATTACH_INTERFACE,
        "compute_attach_interface",
        (("connect", _connect_interface), ("plug", _plug_interface)),
        {},
    ),
    "detach_interface": Plan(
        states.DETACH_INTERFACE,
        "compute_detach_interface",
        (("unplug", _unplug_interface), ("disconnect", _detach_interface)),
        {},
    ),
    "attach_volume": Plan(
        states.ATTACH_VOLUME, "compute_attach_volume", (("attach", _attach_volume),), {}, attachments.came
    ),
    "detach_volume": Plan(states.DETACH_VOLUME, "compute_detach_volume", (("detach", _detach_volume),), {}),
}
