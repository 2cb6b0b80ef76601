"""The console log: a ring file that the VMM's C code writes through a mapping and anyone may read.

Layout, little-endian: a header of 64 bytes {magic, capacity, total, begun, wanted} and ``capacity`` bytes of ring. The
byte at position p of the output lies at ``64 + p % capacity``. ``begun`` is set before the ring is touched and
``total`` after: a reader that looks at both knows which bytes may have been overwritten under it. ``wanted`` is
set by the one reader that the VMM has while it waits for more, and taken back by the writer, which then signals it.
The file is allocated in full when it is made, so that a store into the mapping can never fail for want of disk.
"""

from __future__ import annotations

import os
import stat
import struct
import tempfile
from pathlib import Path

MAGIC = b"NLCONS1\0"
HEADER_SIZE = 64
DEFAULT_CAPACITY = 128 * 1024
MIN_CAPACITY = 4096
MAX_CAPACITY = 1 << 30
_HEADER = struct.Struct("<8sQQQ")
#: Whatever lies at the path: opening it neither follows a link nor waits for the far end of a pipe.
_OPEN = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_PathLike = str | os.PathLike[str]


def create(path: _PathLike, capacity: int = DEFAULT_CAPACITY, content: bytes = b"") -> None:
    """Make a ring file of ``capacity`` bytes, in place of whatever is there, holding the end of ``content``.

    Raises ValueError for a capacity outside 4 KiB..1 GiB, OSError when the disk has no room.
    """
    if not MIN_CAPACITY <= capacity <= MAX_CAPACITY:
        raise ValueError(f"console log size: {capacity} is not between {MIN_CAPACITY} and {MAX_CAPACITY} bytes")
    content = content[-capacity:]
    target = Path(path)
    fd, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        os.posix_fallocate(fd, 0, HEADER_SIZE + capacity)
        header = _HEADER.pack(MAGIC, capacity, len(content), len(content))
        os.pwrite(fd, header.ljust(HEADER_SIZE, b"\0") + content, 0)
        os.rename(name, target)
    except BaseException:
        os.unlink(name)
        raise
    finally:
        os.close(fd)


def open_for_writing(path: _PathLike, capacity: int = DEFAULT_CAPACITY) -> int:
    """A file descriptor of the ring at ``path`` for the VMM to map; the caller closes it.

    A sound ring of this capacity is continued, one of another size is made anew with its latest output kept, and
    anything else there is replaced by an empty ring.
    """
    try:
        fd = os.open(path, os.O_RDWR | _OPEN)
    except FileNotFoundError:
        create(path, capacity)
        return os.open(path, os.O_RDWR | _OPEN)
    header = _read_header(fd)
    if header is not None and header[0] == capacity:
        return fd
    os.close(fd)
    create(path, capacity, read_tail(path, capacity) if header is not None else b"")
    return os.open(path, os.O_RDWR | _OPEN)


def read_tail(path: _PathLike, max_bytes: int) -> bytes:
    """The last ``max_bytes`` of output, oldest first; empty when there is no file, or none that is a ring.

    Safe beside a writer: bytes that it may have overwritten meanwhile are left out, whatever the header says no more
    than the file's size is read.
    """
    try:
        fd = os.open(path, os.O_RDONLY | _OPEN)
    except FileNotFoundError:
        return b""
    try:
        header = _read_header(fd)
        return b"" if header is None else read_from(fd, max(0, header[1] - max_bytes))[1]
    finally:
        os.close(fd)


def create_anonymous(capacity: int = DEFAULT_CAPACITY) -> int:
    """The descriptor of a ring that has no name and is gone with its last descriptor."""
    fd = os.memfd_create("console_log", os.MFD_CLOEXEC)
    os.posix_fallocate(fd, 0, HEADER_SIZE + capacity)
    os.pwrite(fd, _HEADER.pack(MAGIC, capacity, 0, 0), 0)
    return fd


def read_from(fd: int, position: int, max_bytes: int = MAX_CAPACITY) -> tuple[int, bytes]:
    """Where they begin, and at most ``max_bytes`` of output from ``position`` on or the oldest kept byte after it.

    Nothing, when nothing has come since or the file is no ring.
    """
    header = _read_header(fd)
    if header is None:
        return position, b""
    capacity, total, begun = header
    start = max(position, begun - capacity, 0)
    content = _read_ring(fd, capacity, start, min(total, start + max_bytes))
    after = _read_header(fd)
    if after is None or after[0] != capacity:
        return position, b""
    overwritten = max(0, after[2] - capacity - start)
    return start + overwritten, content[overwritten:]


def end_of(fd: int) -> int:
    """The position behind the last byte of output."""
    header = _read_header(fd)
    return 0 if header is None else header[1]


def want_more(fd: int) -> None:
    """Have the VMM's eventfd signalled at the next output; look at ``end_of`` afterwards, before waiting."""
    os.pwrite(fd, b"\1", _HEADER.size)


def _read_header(fd: int) -> tuple[int, int, int] | None:
    """(capacity, total, begun), or None when the file is no sound ring."""
    status = os.fstat(fd)
    if not stat.S_ISREG(status.st_mode):
        return None
    raw = os.pread(fd, _HEADER.size, 0)
    if len(raw) < _HEADER.size:
        return None
    magic, capacity, total, begun = _HEADER.unpack(raw)
    if magic != MAGIC or not MIN_CAPACITY <= capacity <= MAX_CAPACITY:
        return None
    if status.st_size != HEADER_SIZE + capacity or total >= 1 << 63:
        return None
    return capacity, total, min(max(begun, total), total + capacity)


def _read_ring(fd: int, capacity: int, start: int, end: int) -> bytes:
    """Positions start..end of the output; at most ``capacity`` of them."""
    if end <= start:
        return b""
    first = start % capacity
    size = end - start
    content = os.pread(fd, min(size, capacity - first), HEADER_SIZE + first)
    if size > capacity - first:
        content += os.pread(fd, size - (capacity - first), HEADER_SIZE)
    return content
