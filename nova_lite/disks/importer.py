"""Takes a disk image of any kind that we know into the image store, as a raw file with holes for its zeros."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

#: For the whole conversion: by the clock, and of the processor.
SECONDS = 3600
FORMATS = ("raw", "qcow2")
HASH_ALGORITHM = "sha512"


class ImportRefused(Exception):
    """The image cannot be taken. ``str(error)`` names the file and says why, for the user who gave it."""


@dataclass(frozen=True)
class Disk:
    """What was taken. ``format`` is what the given file was, ``virtual_size`` the disk's and ``size`` the file's, in
    bytes, ``hash_value`` the sha512 of the file.
    """

    format: str
    virtual_size: int
    size: int
    hash_value: str


Progress = Callable[[int, int], None]


def import_disk(
    source: Path,
    target: Path,
    claimed: str | None,
    max_size: int,
    progress: Progress | None = None,
    hash_value: str | None = None,
) -> Disk:
    """Convert ``source`` into the new raw file ``target``, which is on disk when this returns.

    :param claimed: the format that the giver names; None recognises it.
    :param max_size: the largest disk that is taken, in bytes.
    :param progress: called with bytes of the disk done and in all.
    :param hash_value: of ``source``, if it is known.
    :raises ImportRefused: nothing is left at ``target`` then, nor after any other exception.
    """
    try:
        with open(source, "rb") as reader:
            hash_value = hash_value or hashlib.file_digest(reader, HASH_ALGORITHM).hexdigest()
            size = reader.seek(0, os.SEEK_END)
            reader.seek(0)
            form, virtual_size = _convert(reader.fileno(), source, target, claimed, max_size, progress)
    except OSError as error:
        raise ImportRefused(f"{error.filename or source}: {error.strerror}") from error
    return Disk(form, virtual_size, size, hash_value)


def _convert(
    source: int, name: Path, target: Path, claimed: str | None, max_size: int, progress: Progress | None
) -> tuple[str, int]:
    descriptor = os.open(target, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o400)
    try:
        return _run(source, descriptor, name, claimed, max_size, progress)
    except BaseException:
        target.unlink()
        raise
    finally:
        os.close(descriptor)


def _run(
    source: int, target: int, name: Path, claimed: str | None, max_size: int, progress: Progress | None
) -> tuple[str, int]:
    command = [sys.executable, "-m", "nova_lite.disks.conversion", claimed or "", str(max_size), str(SECONDS)]
    environment = {"PATH": os.defpath, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    with subprocess.Popen(
        command, stdin=source, stdout=target, stderr=subprocess.PIPE, env=environment, cwd="/", start_new_session=True
    ) as process:
        assert process.stderr is not None
        clock = threading.Timer(SECONDS, process.kill)
        clock.start()
        try:
            form, size, ended, words = _listen(process.stderr, progress)
        finally:
            clock.cancel()
            process.kill()
    if ended:
        return form, size
    if words:
        raise ImportRefused(f"{name}: {words}")
    code = process.returncode
    if code in (-signal.SIGXCPU, -signal.SIGKILL):
        raise ImportRefused(f"{name}: reading it took longer than {SECONDS} seconds")
    if code == -signal.SIGXFSZ:
        raise ImportRefused(f"{name}: its disk is larger than the {max_size} bytes allowed")
    raise ImportRefused(f"{name}: the process that read it ended with {code}")


def _listen(lines: Iterable[bytes], progress: Progress | None) -> tuple[str, int, bool, str]:
    """(format, size, came to its end, the reason if not) from what the process says."""
    form, size, ended, words = "", 0, False, ""
    for line in lines:
        told = {}
        with contextlib.suppress(ValueError):  # a warning of Python's
            told = json.loads(line)
        if "format" in told:
            form, size = str(told["format"]), int(told["size"])
        elif "done" in told and progress is not None:
            progress(int(told["done"]), size)
        elif "error" in told:
            full = told.get("errno") in (errno.ENOSPC, errno.EDQUOT)
            words = "no space left in the image store" if full else str(told["error"])
        ended = ended or bool(told.get("end"))
    if ended and progress is not None:
        progress(size, size)
    return form, size, ended, words
