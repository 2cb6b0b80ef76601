"""vm.disk-log: what is written to a disk while somebody copies it, part by part. Imported when the first one does."""

from __future__ import annotations

import base64
from typing import Any

from nova_lite.hv.native.machine import Machine, MachineError
from nova_lite.hv.vmm.errors import VmmError


def run(machine: Machine | None, given: dict[str, str]) -> dict[str, Any]:
    """Do what a VmDiskLog document asks of ``machine``, the one that is on; a VmDiskLogData document.

    :raises VmmError: it is off or has no such disk, or nobody takes note of what is written to it.
    """
    if machine is None:
        raise VmmError(405, "The disk cannot be watched", "the machine is off")
    slot = machine.slots().get(given["id"])
    if slot is None:
        raise VmmError(404, "There is no such disk", f"id: {given['id']!r}")
    try:
        if given["action"] == "take":
            return {"parts": base64.b64encode(machine.take_disk_log(slot)).decode()}
        part_bits = machine.log_disk(slot, given["action"] == "start")
    except MachineError as error:
        raise VmmError(404, "The disk is not watched", str(error)) from error
    return {"part_size": 1 << part_bits} if given["action"] == "start" else {}
