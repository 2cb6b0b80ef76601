"""Unpacking of lz4, done in C."""

from __future__ import annotations

from nova_lite.hv.native._kvm import ffi, lib


def lz4_block(packed: bytes | memoryview, room: memoryview) -> int:
    """Unpack one block of lz4 into ``room``; how many bytes it gave. ValueError when it is broken or does not fit."""
    size = int(lib.nl_lz4_block(ffi.from_buffer(packed), len(packed), ffi.from_buffer(room), len(room)))
    if size < 0:
        raise ValueError("the lz4 block is broken")
    return size
