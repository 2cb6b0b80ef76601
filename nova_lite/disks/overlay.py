"""Overlays while no VM runs on them: made, read, checked and exported. The VMM's side is block_overlay.c.

Everything that opens an overlay here holds a shared lock on it; a VMM that writes to it holds an exclusive one.
"""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from nova_lite.disks import overlay_format
from nova_lite.disks.overlay_format import GRANULE, GRANULE_BITS, SECTOR, Header, OverlayError

_CHUNK = 1 << 20
_BYTES_ALIKE = re.compile(rb"\x00+|\xff+|[^\x00\xff]", re.DOTALL)


def create(path: Path, size: int | None = None, base: Path | None = None, head: bytes = b"") -> Header:
    """A new overlay at ``path``, whole and durable when this returns.

    ``size`` in bytes: of the disk, the base's if None.

    Room for the bitmap is taken at once: a file system that is full later refuses data, but never the bits of data.

    :param head: what the disk begins with instead of its base, at most a granule; filled up with zeros.
    :raises OverlayError: no size, or smaller than the base, or not whole sectors.
    :raises OSError: the file is there already, or there is no room; nothing is left then.
    """
    base_size = base_crc = 0
    if base is not None:
        fd = os.open(base, os.O_RDONLY | os.O_CLOEXEC)
        try:
            base_size, base_crc = overlay_format.describe_base(fd)
        finally:
            os.close(fd)
    if size is None:
        size = overlay_format.round_up(base_size, SECTOR)
    if not 0 < size <= overlay_format.MAX_SIZE or size % SECTOR:
        raise OverlayError(
            f"A disk of {size} bytes cannot be made: sizes are multiples of {SECTOR} up to {overlay_format.MAX_SIZE}."
        )
    if size < base_size:
        raise OverlayError(f"A disk of {size} bytes is too small for its base of {base_size}.")
    header = Header(size, base_size, base_crc)
    if len(head) > min(GRANULE, size):
        raise OverlayError(f"A disk of {size} bytes cannot be made to begin with {len(head)}.")
    with _published(path) as draft, _laid_out(draft, header) as fd:
        if head:
            os.pwrite(fd, b"\1", header.bitmap_offset)
            os.pwrite(fd, head, header.data_offset)
    return header


def copy(source: Path, path: Path, size: int) -> None:
    """An overlay at ``path`` with what is in that at ``source``, over the same base, of ``size`` bytes, which are not
    less; whole and durable when this returns. Not while a VM runs on it.

    :raises OverlayError: ``source`` is damaged or in use, or larger.
    :raises OSError: the file is there already, or there is no room; nothing is left then.
    """
    with ExitStack() as opened:
        fd = _open_locked(source, opened)
        old = overlay_format.read_header(fd, source)
        new = Header(size, old.base_size, old.base_crc)
        if size < old.size or size > overlay_format.MAX_SIZE or size % SECTOR:
            raise OverlayError(f"A disk of {old.size} bytes cannot be made one of {size}.")
        with _published(path) as draft, _laid_out(draft, new) as target:
            os.pwrite(target, os.pread(fd, old.bitmap_size, old.bitmap_offset), new.bitmap_offset)
            for start, end in _data(fd, old.data_offset, old.file_size):
                _copy(fd, start, end, target, start - old.data_offset + new.data_offset)


@contextmanager
def _published(path: Path) -> Iterator[Path]:
    """Where to write what then appears at ``path`` as a whole, and stays there whatever happens."""
    draft = path.with_name(f"{path.name}.new")
    draft.unlink(missing_ok=True)  # of one that was cut off
    try:
        yield draft
        os.link(draft, path)
    finally:
        draft.unlink(missing_ok=True)
    folder = os.open(path.absolute().parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


@contextmanager
def _laid_out(path: Path, header: Header) -> Iterator[int]:
    """A new file with the parts of an overlay, on disk in the end."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.ftruncate(fd, header.file_size)
        os.posix_fallocate(fd, 0, header.bitmap_offset + header.bitmap_size)
        os.pwrite(fd, header.pack(), 0)
        yield fd
        os.fsync(fd)
    finally:
        os.close(fd)


@dataclass(frozen=True)
class Usage:
    """In bytes: ``written`` lies in the overlay, ``left_over`` is data without a bit (a VMM was killed before the
    flush) and is never read, ``allocated`` is what the file takes on the host's disk.
    """

    written: int
    left_over: int
    allocated: int


class View:
    """An open overlay with its base: what the guest sees."""

    def __init__(self, header: Header, fd: int, base_fd: int | None, bitmap: bytes) -> None:
        self.header = header
        self.size = header.size
        self.bitmap = bitmap
        self._fd = fd
        self._base_fd = base_fd

    def read(self, offset: int, length: int) -> bytes:
        """At most ``length`` bytes; less only at the disk's end."""
        end = min(offset + length, self.size)
        parts = []
        while offset < end:
            granule = offset >> GRANULE_BITS
            here = self._is_set(granule)
            stop = granule + 1
            while stop << GRANULE_BITS < end and self._is_set(stop) == here:
                stop += 1
            size = min(stop << GRANULE_BITS, end) - offset
            if here:
                part = os.pread(self._fd, size, self.header.data_offset + offset)
            else:
                part = os.pread(self._base_fd, size, offset) if self._base_fd is not None else b""
            parts.append(part.ljust(size, b"\0"))
            offset += size
        return b"".join(parts)

    def _is_set(self, granule: int) -> bool:
        return bool(self.bitmap[granule >> 3] >> (granule & 7) & 1)

    def runs(self) -> Iterator[tuple[int, int, bool]]:
        """(offset, end, whether it lies in the overlay) of the whole disk, in order; neighbours may be alike."""
        for match in _BYTES_ALIKE.finditer(self.bitmap):
            byte = match[0][0]
            bits = [(match.start() * 8, match.end() * 8, byte != 0)]
            if byte not in (0, 0xFF):
                bits = [(match.start() * 8 + i, match.start() * 8 + i + 1, bool(byte >> i & 1)) for i in range(8)]
            for first, end, here in bits:
                if first << GRANULE_BITS < self.size:
                    yield first << GRANULE_BITS, min(end << GRANULE_BITS, self.size), here

    def usage(self) -> Usage:
        """:raises OverlayError: the bitmap speaks of granules that the disk has not."""
        granules = self.header.granules
        bits = int.from_bytes(self.bitmap, "little")
        if bits >> granules:
            raise OverlayError("The bitmap has bits beyond the disk's end.")
        left_over = 0
        for offset, end, here in self.runs():
            if not here:
                for first, last in _data(self._fd, self.header.data_offset + offset, self.header.data_offset + end):
                    left_over += last - first
        return Usage(bits.bit_count() * GRANULE, left_over, os.fstat(self._fd).st_blocks * 512)

    def export(self, path: Path, progress: Callable[[int], object] = lambda done: None) -> None:
        """Write the whole disk into a new raw file, holes left out. ``progress`` gets the bytes of each step.

        :raises OSError: the file is there already, or there is no room; then nothing is left of it.
        """
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            os.ftruncate(fd, self.size)
            for offset, end, here in self.runs():
                source = self._fd if here else self._base_fd
                start = self.header.data_offset if here else 0
                if source is not None:
                    for first, last in _data(source, start + offset, start + end):
                        _copy(source, first, last, fd, first - start)
                progress(end - offset)
            os.fsync(fd)
        except BaseException:
            path.unlink()
            raise
        finally:
            os.close(fd)


@contextmanager
def open_view(path: Path, base: Path | None = None) -> Iterator[View]:
    """The disk as its guest would see it; not while a VM runs on it.

    :raises OverlayError: the overlay is damaged, in use, or does not go with ``base``.
    """
    with ExitStack() as opened:
        fd = _open_locked(path, opened)
        base_fd = None if base is None else _open_locked(base, opened)
        header = overlay_format.read_header(fd, path)
        overlay_format.check_base(header, base_fd, path)
        yield View(header, fd, base_fd, os.pread(fd, header.bitmap_size, header.bitmap_offset))


def _open_locked(path: Path, opened: ExitStack) -> int:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    opened.callback(os.close, fd)
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise OverlayError(f"{path} is in use by a machine that may write to it.") from error
    return fd


def _data(fd: int, start: int, end: int) -> Iterator[tuple[int, int]]:
    """The parts of a file that are no holes."""
    while start < end:
        try:
            start = os.lseek(fd, start, os.SEEK_DATA)
        except OSError:  # ENXIO: nothing but a hole up to the end
            return
        if start < end:
            stop = min(os.lseek(fd, start, os.SEEK_HOLE), end)
            yield start, stop
            start = stop


def _copy(source: int, start: int, end: int, target: int, offset: int) -> None:
    while start < end:
        part = os.pread(source, min(_CHUNK, end - start), start)
        if not part:
            raise OverlayError("A file became shorter while it was read.")
        if os.pwrite(target, part, offset) != len(part):
            raise OverlayError("The file system is full.")
        start += len(part)
        offset += len(part)
