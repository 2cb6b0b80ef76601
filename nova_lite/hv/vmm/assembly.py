"""Builds the machine of a VmConfig, with its consoles and devices; nothing is loaded yet."""

from __future__ import annotations

import errno
from collections.abc import Mapping
from typing import Any

from nova_lite.hv.native.devices import Console
from nova_lite.hv.native.machine import Machine, MachineError
from nova_lite.hv.vmm import devices
from nova_lite.hv.vmm.config import VmConfig
from nova_lite.hv.vmm.consoles import Consoles
from nova_lite.hv.vmm.errors import VmmError

_CONSOLE_ID = "__console"


def build(config: VmConfig, consoles: Consoles, slots: Mapping[str, int]) -> Machine:
    """The machine, whose console output goes to ``consoles``. Close it before them.

    ``slots``: where devices have to sit on the PCI bus, by their ids; the others take the lowest that are free.

    :raises VmmError: a device cannot be had; the key is named.
    :raises MachineError: the host refuses.
    :raises OSError: the console log cannot be had.
    """
    try:
        machine = Machine(
            memory_size=config.memory_size,
            vcpus=config.boot_vcpus,
            console_log=consoles.serial.console_log,
            console_log_size=config.console_log_size,
            serial_fd_out=consoles.serial.fd_out,
            output_eventfd=consoles.serial.output_eventfd,
            pvpanic=config.pvpanic,
            watchdog=config.watchdog,
            memory=config.memory,
            topology=config.topology,
            max_phys_bits=config.max_phys_bits,
            debug_console=consoles.debug_console(config),
        )
    except MachineError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        reason = f"debug_console.iobase: another device is at port {config.debug_console_port:#x}"
        raise VmmError(400, "The debug console cannot be set up", reason) from error
    try:
        if config.console_mode != "Off":
            machine.place_next(slots.get(_CONSOLE_ID, 0))
            machine.add(Console(_CONSOLE_ID, consoles.console_out))
        devices.add_all(machine, config.document, slots)
    except BaseException:
        machine.close()
        raise
    return machine


def describe(config: VmConfig, consoles: Consoles | None, machine: Machine | None) -> dict[str, Any]:
    """What vm.info shows of it, as far as it has been built."""
    if consoles is None or machine is None:
        return {"config": config.document, "memory_actual_size": config.memory_size}
    return {
        "config": consoles.shown(config.document),
        "memory_actual_size": config.memory_size - machine.balloon_actual(),
        "device_tree": {
            name: {"id": name, "children": [], "pci_bdf": f"0000:00:{slot:02x}.0"}
            for name, slot in machine.slots().items()
        },
    }
