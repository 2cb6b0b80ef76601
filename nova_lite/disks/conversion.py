"""The process that reads a stranger's disk image: confined first, then recognises, checks and converts it.

Started by ``importer`` with the image as descriptor 0, the raw file to be written as 1 and progress as 2, one JSON
object a line: ``{"format", "size"}`` first (``size``: the disk's, in bytes), then ``{"done"}`` (bytes of the disk),
at the end ``{"end": true}`` or ``{"error"}``. It has no other files, no rights, and limits on memory, processor time
and what it writes.
"""

from __future__ import annotations

import ctypes
import errno
import io
import json
import os
import resource
import sys
from collections.abc import Iterator
from typing import Any

from oslo_utils.imageutils import format_inspector

from nova_lite.disks import qcow2

#: What is looked at to recognise a format; the farthest signature, of GPT and ISO 9660, ends below.
HEAD_BYTES = 1 << 20
MEMORY_BYTES = 1 << 30
CHUNK = 1 << 20
BLOCK = 4096
#: Raw disks under the names of what is found on them.
RAW = ("raw", "gpt", "iso")
_PR_SET_NO_NEW_PRIVS = 38
_NOBODY = 65534
_ZEROS = bytes(BLOCK)


class Refused(Exception):
    """The image cannot be taken; ``str(error)`` says why."""


def recognise(head: bytes, claimed: str | None = None) -> str:
    """``raw``, ``qcow2`` or another of oslo.utils' names, from the first bytes.

    :param claimed: the name that it is to fit; a raw disk may be said to be what is found on it.
    :raises Refused: it does not fit, or fits several.
    """
    wrapper = format_inspector.InspectWrapper(io.BytesIO(head))
    while wrapper.read(4096):
        if wrapper.formats is not None:
            break
    wrapper.close()
    names = {str(found) for found in wrapper.formats or ()}
    if names <= set(RAW):  # a bootable ISO has a partition table too
        names.add("raw")
    elif len(names) > 1:
        raise Refused(f"it looks like several formats at once: {', '.join(sorted(names))}")
    if claimed is not None and claimed not in names:
        raise Refused(f"it is said to be {claimed} but is {'raw' if 'raw' in names else names.pop()}")
    return "raw" if "raw" in names else names.pop()


def convert(source: int, target: int, claimed: str | None, max_size: int) -> None:
    """Write the disk in ``source`` to ``target``. Raises Refused or Qcow2Error, and OSError when writing fails."""
    form = recognise(os.pread(source, HEAD_BYTES, 0), claimed)
    if form == "raw":
        size = os.fstat(source).st_size
        if size % 512 or not size:
            raise Refused(f"{size} bytes are no disk: a raw image is a multiple of 512 bytes")
        if size > max_size:
            raise Refused(f"its {size} bytes are more than the {max_size} allowed")
        _tell(format=form, size=size)
        _write(target, size, _raw_data(source, size))
    elif form == "qcow2":
        reader = qcow2.Reader(source, max_size)
        size = reader.header.size
        if size % 512:
            raise Refused(f"its disk of {size} bytes is not a multiple of 512 bytes")
        _tell(format=form, size=size)
        _write(target, size, reader.data())
    else:
        raise Refused(f"{form} is not taken: convert it with `qemu-img convert -O qcow2`")


def _raw_data(source: int, size: int) -> Iterator[tuple[int, bytes]]:
    """What is not a hole."""
    at = 0
    while at < size:
        try:
            at = os.lseek(source, at, os.SEEK_DATA)
            end = min(size, os.lseek(source, at, os.SEEK_HOLE))
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
            return  # a hole to the end
        while at < end:
            data = os.pread(source, min(CHUNK, end - at), at)
            if not data:
                raise Refused("the file became shorter while it was read")
            yield at, data
            at += len(data)


def _write(target: int, size: int, pieces: Iterator[tuple[int, bytes]]) -> None:
    os.ftruncate(target, size)
    told = 0
    for at, data in pieces:
        for start, end in _runs(data):
            _write_all(target, data[start:end], at + start)
        if at - told >= 64 * CHUNK:
            told = at
            _tell(done=at)
    os.fsync(target)


def _runs(data: bytes) -> Iterator[tuple[int, int]]:
    """Where blocks that are not all zeros begin and end, one after another joined: zeros become holes."""
    begin = None
    for start in range(0, len(data), BLOCK):
        zeros = data.startswith(_ZEROS[: len(data) - start], start)
        if zeros and begin is not None:
            yield begin, start
            begin = None
        elif not zeros and begin is None:
            begin = start
    if begin is not None:
        yield begin, len(data)


def _write_all(target: int, data: bytes, at: int) -> None:
    view = memoryview(data)
    while view:
        written = os.pwrite(target, view, at)
        view, at = view[written:], at + written


def _tell(**what: Any) -> None:
    os.write(2, json.dumps(what).encode() + b"\n")


def confine(max_size: int, seconds: int) -> None:
    """Give up all rights but those to the three descriptors, for good."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_FSIZE, (max_size, max_size))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.closerange(3, resource.getrlimit(resource.RLIMIT_NOFILE)[0])
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))
    resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
    if os.geteuid() == 0:
        os.setgroups([])
        os.setresgid(_NOBODY, _NOBODY, _NOBODY)
        os.setresuid(_NOBODY, _NOBODY, _NOBODY)
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "PR_SET_NO_NEW_PRIVS")


def main() -> int:
    """``python -m nova_lite.disks.conversion CLAIMED MAX_SIZE SECONDS`` (CLAIMED: a format or an empty word)."""
    claimed, max_size, seconds = sys.argv[1] or None, int(sys.argv[2]), int(sys.argv[3])
    confine(max_size, seconds)
    try:
        convert(0, 1, claimed, max_size)
    except (Refused, qcow2.Qcow2Error) as error:
        _tell(error=str(error))
        return 1
    except MemoryError:
        _tell(error=f"it needs more than {MEMORY_BYTES >> 20} MiB to be read")
        return 1
    except OSError as error:
        _tell(error=error.strerror or str(error), errno=error.errno)
        return 1
    _tell(end=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
