"""Shelving: a server's machine and files leave the host, an image of its root disk stays; and the way back.

A server that is SHELVED is off and has all its files yet; SHELVED_OFFLOADED it has none and no host. Its ports and
volumes stay its own. Unshelved, its root disk lies over the image, whose files stay as long as the server needs them.
"""

from __future__ import annotations

import logging

from nova_lite import exceptions, objects
from nova_lite.compute import snapshot_files, states
from nova_lite.compute.plans.base import ACTIVE, PAUSED, STOPPED, Columns, Plan
from nova_lite.compute.plans.images import cut, finish, upload
from nova_lite.compute.plans.life import prepare
from nova_lite.compute.plans.power import boot, power_off, shut_down
from nova_lite.compute.server_host import Host
from nova_lite.compute.states import SHELVED_AT, SHELVED_HOST, SHELVED_IMAGE
from nova_lite.db import block_devices as db_block_devices
from nova_lite.db import images as db_images
from nova_lite.db.times import now
from nova_lite.hv.driver import DriverError, PowerState

LOG = logging.getLogger(__name__)

_NOTED = (SHELVED_AT, SHELVED_HOST, SHELVED_IMAGE)
_OFF = {"power_state": int(PowerState.SHUTDOWN)}


def _offload(host: Host, instance: objects.Instance, operation: objects.Operation) -> None:
    host.driver.destroy(instance.uuid)
    host.config_drives.remove(instance.uuid)
    host.wiring.disconnect(instance)


def _notes(instance: objects.Instance, operation: objects.Operation) -> dict[str, str]:
    notes = instance.system_metadata | {SHELVED_AT: now().isoformat(), SHELVED_HOST: operation.host}
    return notes | ({SHELVED_IMAGE: str(operation.args["image_id"])} if operation.args.get("image_id") else {})


def _shelved(instance: objects.Instance, operation: objects.Operation) -> Columns:
    return _OFF | {"vm_state": "shelved", "system_metadata": _notes(instance, operation)}


def _offloaded(instance: objects.Instance, operation: objects.Operation) -> Columns:
    notes = instance.system_metadata if instance.vm_state == "shelved" else _notes(instance, operation)
    return _OFF | {"vm_state": "shelved_offloaded", "host": "", "system_metadata": notes}


def _not_shelved(host: Host, instance: objects.Instance, operation: objects.Operation) -> Columns:
    """It is shelved if there is an image of it; else it is what its machine is."""
    with host.database.read() as connection:
        image = db_images.get(connection, str(operation.args.get("image_id")))
    if image is not None and image.status == "active":
        return _shelved(instance, operation)
    found = host.info(instance.uuid).power_state
    states_of = {PowerState.RUNNING: ACTIVE, PowerState.PAUSED: PAUSED, PowerState.SHUTDOWN: STOPPED}
    return dict(states_of.get(found, {"vm_state": "error", "power_state": int(found)}))


def _not_offloaded(host: Host, instance: objects.Instance, operation: objects.Operation) -> Columns:
    return {"vm_state": "shelved"}


def _restore(host: Host, instance: objects.Instance, operation: objects.Operation) -> None:
    """Make the root disk anew, over the image; nothing to do for a server that has its files yet, or runs."""
    if instance.vm_state != "shelved_offloaded" or host.info(instance.uuid).power_state is PowerState.RUNNING:
        return
    image_id = instance.system_metadata.get(SHELVED_IMAGE)
    with host.database.write() as connection:
        image = db_images.get(connection, image_id) if image_id else None
        if image_id and (image is None or image.status != "active"):
            raise DriverError(f"Unshelve attempted but the image {image_id} cannot be found.")
        devices = db_block_devices.of_servers(connection, [instance.uuid]).get(instance.uuid, [])
        root = next((one for one in devices if one.boot_index == 0 and one.volume_id is None), None)
        if image is not None and root is not None:
            db_block_devices.set_image(connection, root.uuid, image.id)
    prepare(host, instance, operation)


def _forget_image(host: Host, instance: objects.Instance, operation: objects.Operation) -> None:
    image_id = instance.system_metadata.get(SHELVED_IMAGE)
    if image_id is None:
        return
    try:
        host.images.remove(image_id)
    except exceptions.ImageNotFound:
        LOG.info("The image of the shelved server %s was removed already", instance.uuid)
    except OSError as error:
        raise DriverError(f"The image of the shelved server cannot be removed: {error.strerror}.") from error


def _back(instance: objects.Instance, operation: objects.Operation) -> Columns:
    notes = {name: value for name, value in instance.system_metadata.items() if name not in _NOTED}
    return ACTIVE | {"system_metadata": notes, "launched_at": now()}


def _not_back(host: Host, instance: objects.Instance, operation: objects.Operation) -> Columns:
    """It stays shelved; in error when there is nothing to bring back."""
    if instance.vm_state != "shelved_offloaded":
        host.driver.power_off(instance.uuid)
        return {"vm_state": "shelved"} | _OFF
    _offload(host, instance, operation)
    with host.database.read() as connection:
        image = db_images.get(connection, instance.system_metadata.get(SHELVED_IMAGE, ""))
    lost = SHELVED_IMAGE in instance.system_metadata and (image is None or image.status != "active")
    return {"vm_state": "error" if lost else "shelved_offloaded", "host": ""} | _OFF


_SHELVE = (("shut_down", shut_down), ("power_off", power_off), ("cut", cut), ("finish", finish), ("upload", upload))
_TASKS = {"finish": "shelving_image_uploading", "offload": "shelving_offloading"}

#: A shelve whose files do not wait on the host: ``offload`` is among its arguments.
AND_OFFLOAD = Plan(
    states.SHELVE,
    "compute_shelve_instance",
    (*_SHELVE, ("offload", _offload)),
    _offloaded,
    snapshot_files.ended,
    _not_shelved,
    _TASKS,
)
#: Of a server whose root disk is a volume: there is no image to make.
_OFFLOAD_AT_ONCE = (("shut_down", shut_down), ("power_off", power_off), ("offload", _offload))
VOLUME_BACKED = Plan(
    states.SHELVE, "compute_shelve_offload_instance", _OFFLOAD_AT_ONCE, _offloaded, None, _not_shelved, _TASKS
)

PLANS = {
    "shelve": Plan(
        states.SHELVE, "compute_shelve_instance", _SHELVE, _shelved, snapshot_files.ended, _not_shelved, _TASKS
    ),
    "shelveOffload": Plan(
        states.SHELVE_OFFLOAD,
        "compute_shelve_offload_instance",
        (("offload", _offload),),
        _offloaded,
        failed=_not_offloaded,
    ),
    "unshelve": Plan(
        states.UNSHELVE,
        "compute_unshelve_instance",
        (("restore", _restore), ("boot", boot), ("forget", _forget_image)),
        _back,
        failed=_not_back,
        task_states={"restore": "spawning"},
    ),
}
