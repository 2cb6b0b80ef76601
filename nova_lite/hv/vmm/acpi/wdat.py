"""WDAT: how the guest drives the watchdog (Microsoft, Hardware Watchdog Timers Design Specification 1.0).

Linux's wdat_wdt does what it says; that driver is in every Debian kernel, which virtio-watchdog's is not.
"""

from __future__ import annotations

import struct

from nova_lite.hv.vmm.acpi.tables import table

#: The ports of hv/native/watchdog.c.
_CONTROL, _PING, _FIRED, _COUNTDOWN, _LEFT = 0x620, 0x621, 0x622, 0x624, 0x628
_PERIOD_MS, _MOST, _LEAST = 100, 0xFFFF, 1
_ENABLED = 1
_NO_PCI_DEVICE = (0xFF, 0xFF, 0xFF, 0xFF)
_SYSTEM_IO, _BYTE, _DWORD = 1, 1, 3
_READ_VALUE, _READ_COUNTDOWN, _WRITE_VALUE, _WRITE_COUNTDOWN = range(4)
#: (action, instruction, port, access, value, mask)
_ENTRIES = (
    (1, _WRITE_VALUE, _PING, _BYTE, 1, 1),  # reset the countdown
    (4, _READ_COUNTDOWN, _LEFT, _DWORD, 0, _MOST),
    (5, _READ_COUNTDOWN, _COUNTDOWN, _DWORD, 0, _MOST),
    (6, _WRITE_COUNTDOWN, _COUNTDOWN, _DWORD, 0, _MOST),
    (8, _READ_VALUE, _CONTROL, _BYTE, 1, 1),  # is it running
    (9, _WRITE_VALUE, _CONTROL, _BYTE, 1, 1),  # start
    (10, _READ_VALUE, _CONTROL, _BYTE, 0, 1),  # is it stopped
    (11, _WRITE_VALUE, _CONTROL, _BYTE, 0, 1),  # stop
    (32, _READ_VALUE, _FIRED, _BYTE, 1, 1),  # did it reset the machine
    (33, _WRITE_VALUE, _FIRED, _BYTE, 0, 1),  # forget that
)
_HEADER_LENGTH = 32


def wdat() -> bytes:
    """The whole table."""
    body = struct.pack("<IHBBB3x", _HEADER_LENGTH, *_NO_PCI_DEVICE)
    body += struct.pack("<IIIB3xI", _PERIOD_MS, _MOST, _LEAST, _ENABLED, len(_ENTRIES))
    for action, instruction, port, access, value, mask in _ENTRIES:
        bits = 8 if access == _BYTE else 32
        body += struct.pack("<BBxxBBBBQII", action, instruction, _SYSTEM_IO, bits, 0, access, port, value, mask)
    return table(b"WDAT", 1, body)
