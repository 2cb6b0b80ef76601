"""The VmConfig of a server's machine, and the descriptors of its taps that go with it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Any

from nova_lite.hv import server_disks
from nova_lite.hv.driver import DriverError, MachineSpec
from nova_lite.hv.vmm import loader, tap
from nova_lite.paths import Paths

#: What guests read in SMBIOS: by Nova's own words cloud-init knows that it is in an OpenStack.
PLATFORM = {"system_manufacturer": "OpenStack Foundation", "system_product_name": "OpenStack Nova"}


def of(spec: MachineSpec, paths: Paths, console_log_size: int) -> dict[str, Any]:
    """All but its cards, which are known when its taps are open."""
    payload = {"kernel": str(spec.kernel), "cmdline": spec.cmdline}
    if spec.kernel_format != loader.BZIMAGE:  # the VMM knows best how one is unpacked on this host
        payload["format"] = spec.kernel_format
    if spec.initramfs is not None:
        payload["initramfs"] = str(spec.initramfs)
    config = {
        "cpus": {"boot_vcpus": spec.vcpus, "max_vcpus": spec.vcpus},
        "memory": {"size": spec.memory_mb << 20},
        "payload": payload,
        "pvpanic": True,
        "serial": {"mode": "Socket", "socket": str(paths.serial_socket(spec.uuid))},
        "console": {"mode": "Off"},
        "console_log": {"file": str(paths.console_log(spec.uuid)), "size": console_log_size},
        "platform": {"uuid": spec.uuid, "serial_number": spec.uuid, **PLATFORM},
    }
    if spec.disks:
        config["disks"] = [server_disks.vm_config(disk) for disk in spec.disks]
    return config


@contextlib.contextmanager
def taps(spec: MachineSpec) -> Iterator[tuple[dict[str, Any], list[int]]]:
    """The ``net`` of a VmConfig and the descriptors that it names by their place: the VMM has no right to open a tap.

    :raises DriverError: one cannot be opened.
    """
    cards: list[dict[str, Any]] = []
    opened: list[int] = []
    try:
        for nic in spec.nics:
            try:
                fds, _name = tap.open_tap(nic.tap, nic.queue_pairs)
            except (OSError, ValueError) as error:
                reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
                raise DriverError(f"The VM's tap {nic.tap} cannot be opened: {reason}.") from error
            places = list(range(len(opened), len(opened) + len(fds)))
            opened += fds
            card = {"id": nic.id, "mac": nic.mac, "num_queues": 2 * nic.queue_pairs, "fds": places}
            cards.append(card | ({"mtu": nic.mtu} if nic.mtu else {}))
        yield {"net": cards} if cards else {}, opened
    finally:
        for fd in opened:
            os.close(fd)
