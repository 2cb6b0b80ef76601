"""Fuzzes the readers of disk files, in Python, with the mutator of loaders.py: ``python fuzz/disk_files.py KIND …``.

qcow2: what converts a stranger's image. overlay-header: header and bitmap of an overlay, as every command and every VMM
reads them (the VMM's C side of it is the kind overlay-file of device_target.c). Bad files may only be refused by the
readers' own errors, and nothing may be told of a disk beyond its size.
"""

from __future__ import annotations

import os
import struct
import sys
import zlib
from pathlib import Path

import loaders
from loaders import Finding

from nova_lite.disks import overlay, overlay_format, qcow2

#: The largest disk that is taken here.
MAX_SIZE = 1 << 30
_BASE = bytes(range(256)) * 300
_CHECKSUM_AT = overlay_format.HEADER_SIZE - 4


def _file(data: bytes, size: int = 0) -> int:
    fd = os.memfd_create("disk")
    os.write(fd, data)
    if size > len(data):
        os.ftruncate(fd, size)
    return fd


def read_qcow2(data: bytes) -> None:
    """All of its data."""
    fd = _file(data)
    try:
        reader = qcow2.Reader(fd, MAX_SIZE)
        size, before = reader.header.size, 0
        if not 0 < size <= MAX_SIZE:
            raise Finding(f"a disk of {size} bytes")
        for at, piece in reader.data():
            if at < before or not piece or at + len(piece) > size:
                raise Finding(f"{len(piece)} bytes at {at} of a disk of {size}, after {before}")
            before = at + len(piece)
    except qcow2.Qcow2Error:
        return
    finally:
        os.close(fd)


def read_overlay(data: bytes) -> None:
    """As it is, and with the checksum that a forger would have put right and the length that its header claims."""
    page = data[:_CHECKSUM_AT].ljust(_CHECKSUM_AT, b"\0")
    forged = page + struct.pack("<I", zlib.crc32(page)) + data[overlay_format.HEADER_SIZE :]
    for content in (data, forged):
        size = len(content)
        try:
            size = min(overlay_format.unpack(content[: overlay_format.HEADER_SIZE], "it").file_size, 1 << 40)
        except overlay_format.OverlayError:
            size = len(content)
        for length in (len(content), size):
            _view(content, length)


def _view(content: bytes, length: int) -> None:
    fd, base_fd = _file(content, length), _file(_BASE)
    paths = [Path(f"/proc/self/fd/{number}") for number in (fd, base_fd)]
    try:
        for base in (None, paths[1]):
            try:
                with overlay.open_view(paths[0], base) as view:
                    _look(view)
            except overlay_format.OverlayError:
                continue
    finally:
        os.close(fd)
        os.close(base_fd)


def _look(view: overlay.View) -> None:
    for offset in (0, 4095, view.size // 2, view.size - 1, view.size):
        wanted = max(0, min(10000, view.size - offset))
        if len(view.read(offset, 10000)) != wanted:
            raise Finding(f"not {wanted} bytes at {offset} of {view.size}")
    if view.size <= MAX_SIZE:  # what is larger takes its time
        at = 0
        for first, end, _here in view.runs():
            if first != at or end <= first:
                raise Finding(f"a run from {first} to {end} after {at}")
            at = end
        if at != view.size:
            raise Finding(f"runs end at {at} of {view.size}")
        view.usage()


if __name__ == "__main__":
    loaders.trace(qcow2, overlay, overlay_format)
    sys.exit(loaders.main({"qcow2": read_qcow2, "overlay-header": read_overlay}))
