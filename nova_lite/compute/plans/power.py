"""Turning servers on and off: start, stop, reboot, pause, suspend and back; and the interrupt of a crash dump."""

from __future__ import annotations

import logging

from nova_lite import objects
from nova_lite.compute import states
from nova_lite.compute.plans.base import ACTIVE, PAUSED, STOPPED, SUSPENDED, Columns, Plan
from nova_lite.compute.server_host import Host
from nova_lite.hv.driver import DriverError, PowerState

LOG = logging.getLogger(__name__)


def boot(host: Host, instance: objects.Instance, operation: objects.Operation) -> None:
    """Start the server's machine; nothing to do when it runs."""
    host.power_on(instance)


def shut_down(host: Host, instance: objects.Instance, operation: objects.Operation) -> None:
    """Let the guest power itself off, if it can hear that."""
    try:
        spec = host.spec(instance)
    except DriverError as error:  # a server without its image must be stoppable
        LOG.info("Server %s is not asked to power itself off: %s", instance.uuid, error)
        return
    host.shut_down(instance, spec, operation)


def power_off(host: Host, instance: objects.Instance, operation: objects.Operation) -> None:
    """End the server's machine, whatever its guest does."""
    host.driver.power_off(instance.uuid)


def _reboot(host: Host, instance: objects.Instance, operation: objects.Operation) -> None:
    spec, hard = host.spec(instance), bool(operation.args.get("hard"))
    if not hard:
        host.shut_down(instance, spec, operation)
        if not host.is_current(operation):
            return
    if host.boots_from_disk(instance):  # a reset would boot what was read from the disk last time
        host.driver.power_off(instance.uuid)
        host.power_on(instance)
    else:
        host.driver.reboot(host.boot_spec(instance), hard)
        if hard:
            host.wiring.started(instance)


def _pause(host: Host, instance: objects.Instance, operation: objects.Operation) -> None:
    host.driver.pause(instance.uuid)


def _unpause(host: Host, instance: objects.Instance, operation: objects.Operation) -> None:
    host.driver.resume(instance.uuid)


def _suspend(host: Host, instance: objects.Instance, operation: objects.Operation) -> None:
    host.driver.suspend(instance.uuid)


def _resume(host: Host, instance: objects.Instance, operation: objects.Operation) -> None:
    host.driver.restore(host.boot_spec(instance))
    host.wiring.started(instance)


def _still_suspended(host: Host, instance: objects.Instance, operation: objects.Operation) -> Columns:
    """A server that could not be resumed keeps what was saved: it may be tried again, or be rebooted without it."""
    return ACTIVE if host.info(instance.uuid).power_state is PowerState.RUNNING else SUSPENDED


def _send_nmi(host: Host, instance: objects.Instance, operation: objects.Operation) -> None:
    host.driver.send_nmi(instance.uuid)


#: A reboot that is asked for with ``hard``.
REBOOT_HARD = Plan(states.REBOOT_HARD, "compute_reboot_instance", (("reboot", _reboot),), ACTIVE)

PLANS = {
    "start": Plan(states.START, "compute_start_instance", (("boot", boot),), ACTIVE),
    "stop": Plan(
        states.STOP, "compute_stop_instance", (("shut_down", shut_down), ("power_off", power_off)), STOPPED
    ),
    "reboot": Plan(states.REBOOT, "compute_reboot_instance", (("reboot", _reboot),), ACTIVE),
    "pause": Plan(states.PAUSE, "compute_pause_instance", (("pause", _pause),), PAUSED),
    "suspend": Plan(states.SUSPEND, "compute_suspend_instance", (("suspend", _suspend),), SUSPENDED),
    "resume": Plan(
        states.RESUME, "compute_resume_instance", (("resume", _resume),), ACTIVE, failed=_still_suspended
    ),
    "trigger_crash_dump": Plan(
        states.TRIGGER_CRASH_DUMP, "compute_trigger_crash_dump", (("send_nmi", _send_nmi),), {}
    ),
    "unpause": Plan(states.UNPAUSE, "compute_unpause_instance", (("unpause", _unpause),), ACTIVE),
}
