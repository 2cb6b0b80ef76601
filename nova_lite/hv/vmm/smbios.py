"""What a machine says of itself by SMBIOS: its maker, product, serial number and UUID, where Linux looks without EFI.

cloud-init, systemd and dmidecode know by it which cloud they are in. Layouts are those of the SMBIOS specification
(DSP0134) 3.0: chapter 5.2.2 for the entry point, 7.1, 7.2 and 7.45 for the structures.
"""

from __future__ import annotations

import struct
import uuid as uuidlib
from collections.abc import Mapping

#: Linux looks here when there is no EFI (drivers/firmware/dmi_scan.c), at every 16th byte up to 0xFFFFF.
ADDRESS = 0xF0000
SIZE = 0x1000
MANUFACTURER, PRODUCT = "nova-lite", "nova-lite-vmm"

_ENTRY = struct.Struct("<5sBBBBBBBIQ")
_ENTRY_SIZE = 32  # as it is placed: the structures begin after it
_SHOWN = ("system_manufacturer", "system_product_name", "system_version", "serial_number")
_BIOS, _SYSTEM, _END = 0, 1, 127


def build(platform: Mapping[str, str]) -> bytes:
    """Entry point and structures, to be put at ``ADDRESS``.

    :param platform: a VmConfig's: any of ``uuid``, ``serial_number``, ``system_manufacturer``,
        ``system_product_name``, ``system_version``.
    """
    identity = uuidlib.UUID(platform.get("uuid", "00000000-0000-0000-0000-000000000000"))
    usual = {"system_manufacturer": MANUFACTURER, "system_product_name": PRODUCT}
    shown = usual | dict(platform)
    system = [shown.get(name, "") for name in _SHOWN]
    # Characteristics: bit 3, none are told; of the second extension byte bit 4: it is a virtual machine.
    bios = struct.pack("<BBHBBQBBBBBB", 1, 2, 0xE800, 3, 0, 1 << 3, 0, 1 << 4, 0, 0, 0xFF, 0xFF)
    numbers, strings = _numbered(system)
    wake_up_by_switch = 6
    structures = (
        _structure(_BIOS, 0, bios, [MANUFACTURER, "1", "01/01/2024"])
        + _structure(_SYSTEM, 1, bytes(numbers) + identity.bytes_le + bytes([wake_up_by_switch, 0, 0]), strings)
        + _structure(_END, 2, b"", [])
    )
    entry = _entry(len(structures), 0)
    entry = _entry(len(structures), -sum(entry) & 0xFF)
    return entry.ljust(_ENTRY_SIZE, b"\0") + structures


def _entry(size: int, checksum: int) -> bytes:
    return _ENTRY.pack(b"_SM3_", checksum, _ENTRY.size, 3, 0, 0, 1, 0, size, ADDRESS + _ENTRY_SIZE)


def _numbered(texts: list[str]) -> tuple[list[int], list[str]]:
    """Each text's number, 0 for an empty one, and the texts that have numbers."""
    strings = [text for text in texts if text]
    return [strings.index(text) + 1 if text else 0 for text in texts], strings


def _structure(kind: int, handle: int, fields: bytes, strings: list[str]) -> bytes:
    head = struct.pack("<BBH", kind, 4 + len(fields), handle)
    return head + fields + (b"".join(text.encode("ascii") + b"\0" for text in strings) or b"\0") + b"\0"
