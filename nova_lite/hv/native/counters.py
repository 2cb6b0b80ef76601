"""What a machine and its devices have counted, as Python sees it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nova_lite.hv.native._kvm import ffi, lib


def read(native: Any, vcpus: int) -> dict[str, dict[str, int]]:
    """By device, as ``Machine.counters`` says; ``native``: a ``struct nl_machine *``."""
    c = ffi.new("struct nl_counters *")
    lib.nl_machine_counters(native, c)
    result = {
        "machine": {
            "boots": c.boots,
            "events_dropped": c.events_dropped,
            "ends_swallowed": c.ends_swallowed,
            "msrs_refused": c.msrs_refused,
            "cpuid_refused": c.cpuid_refused,
            "last_msr_refused": c.last_msr_refused,
            "last_cpuid_refused": c.last_cpuid_refused,
        },
        "serial": {
            "bytes_out": c.serial_bytes_out,
            "bytes_in": c.serial_bytes_in,
            "overruns": c.serial_overruns,
            "console_bytes": c.console_bytes,
            "copy_dropped": c.copy_dropped,
            "first_output_ns": c.first_output_ns,
        },
        "port_console": {"lines": c.port_console_lines},
        "watchdog": {"pings": c.watchdog_pings, "expirations": c.watchdog_expirations},
        "debug_port": {
            "writes": c.debug_port_writes,
            "last": c.debug_port_last,
            "first_write_ns": c.debug_port_first_ns,
        },
        "debug_console": {"bytes": c.debug_console_bytes, "dropped": c.debug_console_dropped},
        "bus": {
            "unclaimed_pio_reads": c.unclaimed_pio_reads,
            "unclaimed_pio_writes": c.unclaimed_pio_writes,
            "unclaimed_mmio_reads": c.unclaimed_mmio_reads,
            "unclaimed_mmio_writes": c.unclaimed_mmio_writes,
        },
    }
    result |= _of_devices(native)
    v = ffi.new("struct nl_vcpu_counters *")
    for index in range(vcpus):
        lib.nl_machine_vcpu_counters(native, index, v)
        result[f"vcpu{index}"] = {
            "exits": v.exits,
            "io": v.io,
            "mmio": v.mmio,
            "interrupted": v.interrupted,
            "parks": v.parks,
            "cpu_ns": v.cpu_ns,
        }
    return result


def slots(native: Any) -> dict[str, int]:
    """The virtio devices: id → number on the PCI bus."""
    return {ffi.string(device.id).decode(): device.number for device in _devices(native)}


def _of_devices(native: Any) -> dict[str, dict[str, int]]:
    return {
        ffi.string(d.id).decode(): {ffi.string(d.names[i]).decode(): d.values[i] for i in range(d.count)}
        for d in _devices(native)
    }


def _devices(native: Any) -> Iterator[Any]:
    """Each ``struct nl_device_counters``, in the same memory."""
    device = ffi.new("struct nl_device_counters *")
    index = 0
    while lib.nl_machine_device_counters(native, index, device) == 0:
        yield device
        index += 1
