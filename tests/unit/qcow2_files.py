"""Writes small qcow2 files, right ones and wrong ones, after QEMU's docs/interop/qcow2.txt."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping

import zstandard

BITS = 12
SIZE = 1 << BITS
DATA_AT = 3 * SIZE


def qcow2(
    clusters: Mapping[int, bytes],
    *,
    disk: int = 64 * SIZE,
    version: int = 3,
    pack: str = "",
    backing: int = 0,
    crypt: int = 0,
    bits: int = BITS,
    l1_size: int = 1,
    l1_at: int = SIZE,
    incompatible: int = 0,
    header_length: int = 112,
    l1: int = 2 * SIZE,
    entries: Mapping[int, int] | None = None,
) -> bytes:
    """Header, L1 and L2 in a cluster each, then data. ``clusters``: number on the disk → ``SIZE`` bytes.

    :param pack: ``zlib``, ``zstd`` or nothing.
    :param entries: L2 entries that go before those of the data.
    """
    l2 = [0] * (SIZE // 8)
    data = bytearray()
    for number, content in clusters.items():
        at = DATA_AT + len(data)
        if not pack:
            l2[number] = at | 1 << 63
            data += content
            continue
        packed = zstandard.compress(content) if pack == "zstd" else zlib.compress(content, 9, wbits=-12)
        sectors = (at % 512 + len(packed) - 1) // 512
        l2[number] = 1 << 62 | sectors << (62 - (BITS - 8)) | at
        data += packed
    for number, entry in (entries or {}).items():
        l2[number] = entry
    incompatible |= (1 << 3) if pack == "zstd" else 0
    head = struct.pack(
        ">4sIQIIQIIQQIIQ", b"QFI\xfb", version, backing, 0, bits, disk, crypt, l1_size, l1_at, 0, 0, 0, 0
    )
    if version >= 3:
        head += struct.pack(">QQQIIB", incompatible, 0, 0, 4, header_length, pack == "zstd")
    head = head.ljust(SIZE, b"\0")
    return head + struct.pack(">Q", l1).ljust(SIZE, b"\0") + struct.pack(f">{len(l2)}Q", *l2) + bytes(data)


def disk_of(clusters: Mapping[int, bytes], disk: int = 64 * SIZE) -> bytes:
    """The disk that ``qcow2`` of the same arguments holds."""
    out = bytearray(disk)
    for number, content in clusters.items():
        out[number * SIZE : number * SIZE + SIZE] = content
    return bytes(out)
