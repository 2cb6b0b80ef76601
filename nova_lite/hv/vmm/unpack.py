"""Unpacks what a bzImage carries: gzip, bzip2, xz, lzma, lz4 and zstd, as distributions pack their kernels.

The data is hostile: no more than ``limit`` bytes ever come of it, and memory beside them is bounded as well.
"""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Callable

from nova_lite.hv.native.lz4 import lz4_block
from nova_lite.hv.vmm.kernel_file import LoaderError

_LZO_MAGIC = b"\x89LZO\x00\r\n\x1a\n"
_LZ4_LEGACY_MAGIC = b"\x02\x21\x4c\x18"
#: Every block of the legacy format but the last unpacks to this.
_LZ4_BLOCK = 8 << 20
_LZMA_MEMORY = 128 << 20
#: The window of ``zstd --ultra -22``, with which Linux packs itself.
_ZSTD_WINDOW = 128 << 20
#: Fed by so little, a zstd frame can give no more than 32 MiB at once: 4 bytes for a block of 128 KiB.
_ZSTD_STEP = 1024


class _TooLong(Exception):
    """There is more than the limit."""


class _Broken(Exception):
    """The data is no such format, or ends too soon."""


def unpack(data: bytes, limit: int, name: str) -> bytes | bytearray | memoryview:
    """The unpacked bytes, at most ``limit``; raises LoaderError."""
    inside = f"The kernel inside of the image '{name}'"
    title, method = next(((title, method) for magic, title, method in _METHODS if data.startswith(magic)), ("", None))
    if data.startswith(_LZO_MAGIC):
        raise LoaderError(
            f"{inside} is packed with lzo, whose libraries are under the GPL and not used here; "
            f"it can be started as bzimage, unpacking itself."
        )
    if method is None:
        known = ", ".join(title for _, title, _ in _METHODS)
        raise LoaderError(f"{inside} is packed in a way unknown here; known are {known}.")
    try:
        return method(data, limit)
    except _TooLong:
        raise LoaderError(f"{inside} has more than {limit >> 20} MiB.") from None
    except (_Broken, zlib.error, lzma.LZMAError, OSError, EOFError, ValueError):
        raise LoaderError(f"{inside} cannot be unpacked: its {title} is broken.") from None


def _gzip(data: bytes, limit: int) -> bytes:
    machine = zlib.decompressobj(wbits=31)
    result = machine.decompress(data, limit + 1)
    return _checked(result, machine.eof, limit)


def _bzip2(data: bytes, limit: int) -> bytes:
    machine = bz2.BZ2Decompressor()
    result = machine.decompress(data, limit + 1)
    return _checked(result, machine.eof, limit)


def _xz(data: bytes, limit: int) -> bytes:
    machine = lzma.LZMADecompressor(memlimit=_LZMA_MEMORY)
    result = machine.decompress(data, limit + 1)
    return _checked(result, machine.eof, limit)


def _checked(result: bytes, complete: bool, limit: int) -> bytes:
    if len(result) > limit:
        raise _TooLong
    if not complete:
        raise _Broken
    return result


def _lz4(data: bytes, limit: int) -> memoryview:
    """The "legacy" frame: blocks, each behind its packed length (lz4, doc/lz4_Frame_format.md)."""
    blocks, at = [], len(_LZ4_LEGACY_MAGIC)
    while at + 4 <= len(data):
        size = int.from_bytes(data[at : at + 4], "little")
        if size == 0 or size > len(data) - at - 4:
            raise _Broken
        blocks.append(memoryview(data)[at + 4 : at + 4 + size])
        at += 4 + size
        if len(blocks) > limit // _LZ4_BLOCK + 1:
            raise _TooLong
    if at != len(data):
        raise _Broken
    # One buffer for all, and nothing copied: memory that is never written to costs nothing.
    room, done = memoryview(bytearray(min(len(blocks) * _LZ4_BLOCK, limit + 1))), 0
    for block in blocks:
        done += lz4_block(block, room[done : done + _LZ4_BLOCK])
    if done > limit:
        raise _TooLong
    return room[:done]


def _zstd(data: bytes, limit: int) -> bytearray:
    import zstandard  # few VMMs ever need it

    machine, result = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW).decompressobj(), bytearray()
    try:
        for at in range(0, len(data), _ZSTD_STEP):
            result += machine.decompress(data[at : at + _ZSTD_STEP])
            if len(result) > limit:
                raise _TooLong
            if machine.eof:
                return result
    except zstandard.ZstdError:
        raise _Broken from None
    raise _Broken


_METHODS: tuple[tuple[bytes, str, Callable[[bytes, int], bytes | bytearray | memoryview]], ...] = (
    (b"\x1f\x8b", "gzip", _gzip),
    (b"BZh", "bzip2", _bzip2),
    (b"\xfd7zXZ\0", "xz", _xz),
    (b"\x5d\0\0", "lzma", _xz),
    (_LZ4_LEGACY_MAGIC, "lz4", _lz4),
    (b"\x28\xb5\x2f\xfd", "zstd", _zstd),
)
