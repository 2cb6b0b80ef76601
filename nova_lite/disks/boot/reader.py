"""Reads file systems on a disk by way of grub-fstest, one confined process per question.

GRUB knows every file system and partition table that a distribution boots from, and mounts nothing. The process gets
no file but a socket, over which it asks us for bytes of the disk (confined_reader.c); so any disk will do that can be
read at an offset. Bytes, questions and time are counted per ``Disk``: what exceeds them raises ``TooMuch``.
"""

from __future__ import annotations

import contextlib
import os
import re
import selectors
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

PROGRAM = "grub-fstest"
LIBRARY = Path(__file__).with_name("confined_reader.so")
DISK_NAME = "/nova-lite-guest-disk"  # as in confined_reader.c
_REQUEST = struct.Struct("=QQ")
_COUNT = struct.Struct("=Q")
_REQUEST_MAX = 1 << 20
_CHUNK = 1 << 16
_ERRORS_KEPT = 4096

#: For one disk: seconds in all, questions in all, bytes that may be read of it.
SECONDS = 60.0
QUESTIONS = 1000
BYTES = 4 << 30
LISTING_MAX = 1 << 20

_DEVICE = re.compile(r"^\s*(?:Device|Partition) ((?:loop0|lvm|lvmid|md)[^: ]*): (.*)$")
_UUID = re.compile(r"\bUUID ([0-9A-Za-z-]+)")
_LABEL = re.compile(r"\bLabel [`'](.*)', ")
_TYPE = re.compile(r"Filesystem type ([^\s,]+)")
_ENTRY = re.compile(r"^(DIR|\d+)\s+(?:\d{14}|\S*)\s+(.*)$")


class ReaderError(Exception):
    """This host cannot read disks. ``str(error)`` is a sentence that says what to do."""


class DiskError(Exception):
    """The disk, or a file on it, cannot be read. ``str(error)`` is a sentence."""


class TooMuch(DiskError):
    """Reading the disk took more time, questions or bytes than any sound disk needs."""


@dataclass(frozen=True)
class Device:
    """A partition, a whole disk or a logical volume with a file system. ``name`` is GRUB's: ``loop0,gpt1``."""

    name: str
    filesystem: str
    uuid: str
    label: str


@dataclass(frozen=True)
class Entry:
    """A name in a folder; ``size`` in bytes, None for a folder."""

    name: str
    size: int | None


class Disk:
    """A disk to look into. ``read(offset, size)`` gives its bytes, of ``size`` bytes in all; it may be any view.

    ``seconds`` bounds the time of all questions together.
    """

    def __init__(self, read: Callable[[int, int], bytes], size: int, seconds: float = SECONDS) -> None:
        self.size = size
        self._read = read
        self._deadline = time.monotonic() + seconds
        self._questions = self._bytes = 0
        self._folders: dict[tuple[str, str], list[Entry]] = {}
        program = shutil.which(PROGRAM)
        if program is None:
            raise ReaderError(f"{PROGRAM} is not installed: it reads the disks of images (Debian: grub-common).")
        if not LIBRARY.exists():
            raise ReaderError(f"{LIBRARY.name} was not built with this installation.")
        self._program = program

    @classmethod
    def of_file(cls, descriptor: int, size: int) -> Disk:
        """A raw disk in an open file or block device, which must stay open."""
        return cls(lambda offset, count: os.pread(descriptor, count, offset), size)

    def devices(self) -> list[Device]:
        """Everything on the disk that has a file system known to GRUB, the first partition first."""
        found = []
        for line in self._text("ls", "--", "-l").splitlines():
            match = _DEVICE.match(line)
            kind = _TYPE.search(line)
            if match is None or kind is None:
                continue
            uuid, label = _UUID.search(line), _LABEL.search(line)
            found.append(Device(match[1], kind[1], uuid[1] if uuid else "", label[1] if label else ""))
        return sorted(found, key=lambda device: [int(n) for n in re.findall(r"\d{1,9}", device.name)])

    def folder(self, device: str, path: str) -> list[Entry]:
        """What is in a folder, without ``.`` and ``..``; empty when there is no such folder."""
        path = path.rstrip("/") + "/"
        if (device, path) not in self._folders:
            text = self._text("ls", "--", "-l", _place(device, path)) if _sayable(path) else ""
            entries = []
            for line in text.splitlines():
                if match := _ENTRY.match(line):
                    size = None if match[1] == "DIR" else int(match[1])
                    name = match[2].removesuffix("/") if size is None else match[2]
                    if name not in (".", ".."):
                        entries.append(Entry(name, size))
            self._folders[device, path] = entries
        return self._folders[device, path]

    def exists(self, device: str, path: str) -> bool:
        parent, _, name = path.rstrip("/").rpartition("/")
        return any(entry.name == name for entry in self.folder(device, parent))

    def content(self, device: str, path: str, limit: int) -> bytes:
        """A file of at most ``limit`` bytes. Raises DiskError: not there, not a file, too large, not readable."""
        parts: list[bytes] = []
        self._file(device, path, limit, parts.append)
        return b"".join(parts)

    def copy(self, device: str, path: str, limit: int, target: IO[bytes]) -> None:
        """Write a file of at most ``limit`` bytes to ``target``. Raises DiskError as ``content`` does."""
        self._file(device, path, limit, target.write)

    def _file(self, device: str, path: str, limit: int, take: Callable[[bytes], object]) -> None:
        if not _sayable(path):
            raise DiskError("A file has a name that cannot be asked for.")
        room = limit

        def bounded(data: bytes) -> None:
            nonlocal room
            room -= len(data)
            if room < 0:
                raise TooMuch(f"The file {path} has more than {limit} bytes.")
            take(data)

        problem = self._ask(["cat", _place(device, path)], bounded)
        if problem:
            raise DiskError(f"The file {path} cannot be read: {problem}.")

    def _text(self, *words: str) -> str:
        """What the program prints; what it says when it fails is no news: the place is not there."""
        parts: list[bytes] = []
        room = LISTING_MAX

        def bounded(data: bytes) -> None:
            nonlocal room
            room -= len(data)
            if room < 0:
                raise TooMuch("A folder on the disk has more names than any folder that is booted from.")
            parts.append(data)

        self._ask(list(words), bounded)
        return b"".join(parts).decode("utf-8", "replace")

    def _ask(self, words: list[str], take: Callable[[bytes], object]) -> str:
        """Run the program once; the reason when it says no, else "". Raises TooMuch, ReaderError."""
        self._questions += 1
        if self._questions > QUESTIONS:
            raise TooMuch(f"The disk was not understood with {QUESTIONS} questions.")
        ours, theirs = socket.socketpair()
        with contextlib.closing(ours), contextlib.closing(theirs), tempfile.TemporaryFile() as shape:
            os.truncate(shape.fileno(), self.size)
            with self._started(words, theirs.fileno(), shape.fileno()) as process:
                theirs.close()
                assert process.stdout is not None and process.stderr is not None
                said = self._serve(ours, process.stdout, process.stderr, take)
                code = process.wait(max(0.0, self._deadline - time.monotonic()) + 1)
        if code == 125 or (code and not said):
            if code == -signal.SIGXCPU or code == -signal.SIGKILL:
                raise TooMuch("Reading the disk took more processor time than it may.")
            if code == 125:
                raise ReaderError(f"{PROGRAM} could not be confined on this host and was not run.")
            return f"{PROGRAM} ended with {code}"
        text = said.decode("utf-8", "replace").strip().rpartition(": error: ")[2]
        return text.splitlines()[-1].removesuffix(".") if code and text else ""

    @contextlib.contextmanager
    def _started(self, words: list[str], asking: int, shape: int) -> Iterator[subprocess.Popen[bytes]]:
        """The program, confined; gone at the end in any case."""
        process = subprocess.Popen(
            [self._program, DISK_NAME, *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=(asking, shape),
            env={"LC_ALL": "C", "LD_PRELOAD": str(LIBRARY), "NOVA_LITE_READER": f"{asking} {shape}"},
            cwd="/",
            bufsize=0,
        )
        try:
            yield process
        finally:
            process.kill()
            process.communicate()

    def _serve(self, asked: socket.socket, out: IO[bytes], err: IO[bytes], take: Callable[[bytes], object]) -> bytes:
        """Answer requests and collect output until both outputs are at their end; what came on the second."""
        said = bytearray()
        with selectors.DefaultSelector() as selector:
            for source in (asked, out, err):
                selector.register(source, selectors.EVENT_READ)
            open_ends = {out, err}
            while open_ends:
                left = self._deadline - time.monotonic()
                ready = selector.select(left) if left > 0 else []
                if not ready:
                    raise TooMuch("Reading the disk took more time than it may.")
                for key, _ in ready:
                    if key.fileobj is asked:
                        if not self._answer(asked):
                            selector.unregister(asked)
                        continue
                    data = os.read(key.fd, _CHUNK)
                    if not data:
                        selector.unregister(key.fileobj)
                        open_ends.discard(key.fileobj)  # type: ignore[arg-type]
                    elif key.fileobj is out:
                        take(data)
                    elif len(said) < _ERRORS_KEPT:
                        said += data
        return bytes(said)

    def _answer(self, asked: socket.socket) -> bool:
        """One request for bytes; False when no more will come."""
        asked.settimeout(max(0.001, self._deadline - time.monotonic()))
        request = asked.recv(_REQUEST.size)
        if len(request) < _REQUEST.size:  # our library sends it in one piece
            return False
        offset, size = _REQUEST.unpack(request)
        size = min(size, _REQUEST_MAX, max(0, self.size - offset))
        self._bytes += size
        if self._bytes > BYTES:
            raise TooMuch(f"More than {BYTES >> 30} GiB had to be read of the disk.")
        data = self._read(offset, size) if size else b""
        try:
            asked.sendall(_COUNT.pack(len(data)) + data)
        except OSError:  # it has ended, or does not listen
            return False
        return True


def _place(device: str, path: str) -> str:
    return f"({device}){path}"


def _sayable(path: str) -> bool:
    return path.startswith("/") and len(path) < 4096 and "\0" not in path and path.isprintable()
