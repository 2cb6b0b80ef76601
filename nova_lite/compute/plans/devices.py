"""What comes to servers and leaves them while they are there: network cards and volumes."""

from __future__ import annotations

from nova_lite import objects
from nova_lite.compute import attachments, states
from nova_lite.compute.plans.base import Plan
from nova_lite.compute.server_host import Host


def _attach_interface(host: Host, instance: objects.Instance, operation: objects.Operation) -> None:
    host.wiring.connect(instance)


def _detach_interface(host: Host, instance: objects.Instance, operation: objects.Operation) -> None:
    host.wiring.release(instance, str(operation.args["port_id"]))


def _attach_volume(host: Host, instance: objects.Instance, operation: objects.Operation) -> None:
    host.attachments.attach(instance, operation)


def _detach_volume(host: Host, instance: objects.Instance, operation: objects.Operation) -> None:
    host.attachments.detach(instance, operation)


PLANS = {
    "attach_interface": Plan(
        states.ATTACH_INTERFACE, "compute_attach_interface", (("connect", _attach_interface),), {}
    ),
    "detach_interface": Plan(
        states.DETACH_INTERFACE, "compute_detach_interface", (("disconnect", _detach_interface),), {}
    ),
    "attach_volume": Plan(
        states.ATTACH_VOLUME, "compute_attach_volume", (("attach", _attach_volume),), {}, attachments.came
    ),
    "detach_volume": Plan(states.DETACH_VOLUME, "compute_detach_volume", (("detach", _detach_volume),), {}),
}
