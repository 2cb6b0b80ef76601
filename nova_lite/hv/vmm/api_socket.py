"""The VMM's API socket and the lock beside it: at most one VMM serves a path.

``<socket>.lock`` is locked with a POSIX record lock for the life of the process. The kernel drops it however the
process dies and tells who holds it, so the lock, not a file's content, says whether a VMM lives. Whoever has
locked the file must find it still at its path: a former owner removes it.
"""

from __future__ import annotations

import fcntl
import os
import socket
import stat
import struct
from pathlib import Path

from nova_lite.hv.vmm import unix_socket
from nova_lite.hv.vmm.errors import SocketInUse

_FLOCK = struct.Struct("@hhqqi4x")  # struct flock of x86_64 Linux: type, whence, start, len, pid


def lock_path(path: Path) -> Path:
    return path.with_name(path.name + ".lock")


def default_path() -> Path:
    """/run/user/<uid>/nova-lite-vmm.<pid>, made ready for root, who may have no such folder."""
    folder = Path(f"/run/user/{os.getuid()}")
    if os.getuid() == 0:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder / f"nova-lite-vmm.{os.getpid()}"


def lock_holder(path: Path) -> int | None:
    """The process that serves the socket at ``path``; None when none does."""
    try:
        fd = os.open(lock_path(path), os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        return _holder(fd)
    finally:
        os.close(fd)


def _holder(fd: int) -> int | None:
    question = _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
    kind, _whence, _start, _length, pid = _FLOCK.unpack(fcntl.fcntl(fd, fcntl.F_GETLK, question))
    return None if kind == fcntl.F_UNLCK else pid


class PathLock:
    """Keeps VMMs away from ``path``; with ``ofd`` the lock is the open file's, not the process's.

    A VMM holds its lock as a process. The driver, which has many threads and closes other descriptors of the same
    file, uses ``ofd``.

    :raises SocketInUse: a VMM has it.
    """

    def __init__(self, path: Path, ofd: bool = False) -> None:
        self._path = lock_path(path)
        while True:
            self._fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                command = fcntl.F_OFD_SETLK if ofd else fcntl.F_SETLK
                fcntl.fcntl(self._fd, command, _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0))
            except (BlockingIOError, PermissionError):
                holder = _holder(self._fd)
                os.close(self._fd)
                if holder is None:
                    continue  # it has just gone
                raise SocketInUse(str(path), holder) from None
            if self._is_at_path():
                return
            os.close(self._fd)

    def _is_at_path(self) -> bool:
        try:
            return os.path.samestat(os.stat(self._path), os.fstat(self._fd))
        except FileNotFoundError:
            return False

    def release(self, remove: bool = True) -> None:
        """Let others have it; the lock file goes first so that nobody locks a file that is about to vanish."""
        if remove and self._is_at_path():
            self._path.unlink()
        os.close(self._fd)


class ApiSocket:
    """The lock and the listening socket at ``path``.

    :raises SocketInUse: another VMM serves it.
    :raises OSError: the path cannot be used.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = PathLock(path)
        try:
            remove_stale(path)
            self.listener: socket.socket = unix_socket.listen(path)
        except OSError:
            self._lock.release()
            raise
        self.listener.setblocking(False)

    def close(self) -> None:
        self.listener.close()
        self.path.unlink(missing_ok=True)
        self._lock.release()


def remove_stale(path: Path) -> None:
    """Remove what a dead VMM left at ``path``; only the holder of the lock may do so."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise FileExistsError(f"{path} exists and is not a socket")
    path.unlink()
