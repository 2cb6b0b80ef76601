"""Disks and network cards that come to a VM that is on and go from it, by its VMM's REST API."""

from __future__ import annotations

import contextlib
import select
import time
from pathlib import Path

from nova_lite.hv import server_disks
from nova_lite.hv.driver import DiskSpec, NicSpec
from nova_lite.hv.vmm import client
from nova_lite.hv.vmm.client import EventStream, VmmRefused

_ON = ("Running", "Paused")
#: Seconds a VMM may take to answer. It brings requests that are under way to their end first.
_ANSWER = 30.0


def attach_disk(socket: Path, disk: DiskSpec) -> None:
    """Nothing to do where the VM is off or has the disk.

    :raises VmmRefused: it cannot have it.
    :raises VmmUnreachable: it does not answer.
    """
    if not _has(socket, disk.device_name, absent=True):
        return
    client.request(socket, "PUT", "vm.add-disk", server_disks.vm_config(disk), timeout=_ANSWER)


def attach_nic(socket: Path, nic: NicSpec) -> bool:
    """Whether a VM that is on has the card now: not where it is off, or still has an old card of that name that its
    guest was asked for. The VMM opens the tap, which belongs to its user.

    :raises VmmRefused: it cannot have it.
    :raises VmmUnreachable: it does not answer.
    """
    found, _pid = client.info(socket, timeout=_ANSWER)
    if found["state"] not in _ON:
        return False
    if nic.id in {card["id"] for card in found["config"].get("net", ())}:
        return nic.id not in found.get("removing", ())
    card = {"id": nic.id, "tap": nic.tap, "mac": nic.mac, "num_queues": 2 * nic.queue_pairs}
    client.request(socket, "PUT", "vm.add-net", card | ({"mtu": nic.mtu} if nic.mtu else {}), timeout=_ANSWER)
    return True


def detach(socket: Path, name: str, seconds: float) -> bool:
    """Ask the guest and wait; whether the VM does not have the disk any more, or is off.

    :raises VmmRefused: it cannot be asked.
    :raises VmmUnreachable: it does not answer.
    """
    if not _has(socket, name):
        return True
    with contextlib.closing(EventStream(socket)) as events:
        try:
            client.request(socket, "PUT", "vm.remove-device", {"id": name}, timeout=_ANSWER)
        except VmmRefused as error:
            if error.status != 404:
                raise
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            if not select.select([events], [], [], left)[0]:
                break
            heard = events.read()
            if heard is None or any(one["event"] == "device_removed" and one["detail"] == name for one in heard):
                break
    return not _has(socket, name)


def _has(socket: Path, name: str, absent: bool = False) -> bool:
    """Whether a VM that is on has a disk or a card of that name; ``absent``: whether it is on and has none."""
    found, _pid = client.info(socket, timeout=_ANSWER)
    if found["state"] not in _ON:
        return False
    devices = [*found["config"].get("disks", ()), *found["config"].get("net", ())]
    return (name in {device["id"] for device in devices}) is not absent
