"""An initramfs archive (cpio, "newc" format: Documentation/driver-api/early-userspace/buffer-format.rst of Linux)."""

from __future__ import annotations

import stat
from pathlib import PurePosixPath

_DEVICE, _LINK, _FOLDER, _FILE = stat.S_IFCHR, stat.S_IFLNK, stat.S_IFDIR, stat.S_IFREG


class Archive:
    """Collects files; folders above them are made as needed. All belongs to root."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._folders: set[str] = set()
        self._inode = 0

    def folder(self, path: str) -> None:
        self._parents(f"{path}/x")

    def file(self, path: str, data: bytes, mode: int = 0o644) -> None:
        self._add(path, _FILE | mode, data)

    def symlink(self, path: str, target: str) -> None:
        self._add(path, _LINK | 0o777, target.encode())

    def character_device(self, path: str, mode: int, major: int, minor: int) -> None:
        self._add(path, _DEVICE | mode, b"", (major, minor))

    def finished(self) -> bytes:
        """The whole archive."""
        return b"".join([*self._parts, _entry("TRAILER!!!", 0, 0, b"", (0, 0))])

    def _add(self, path: str, mode: int, data: bytes, device: tuple[int, int] = (0, 0)) -> None:
        self._parents(path)
        self._inode += 1
        self._parts.append(_entry(path.strip("/"), self._inode, mode, data, device))

    def _parents(self, path: str) -> None:
        for parent in reversed(PurePosixPath(path.strip("/")).parents):
            name = str(parent)
            if name != "." and name not in self._folders:
                self._folders.add(name)
                self._inode += 1
                self._parts.append(_entry(name, self._inode, _FOLDER | 0o755, b"", (0, 0)))


def _entry(name: str, inode: int, mode: int, data: bytes, device: tuple[int, int]) -> bytes:
    encoded = name.encode() + b"\0"
    fields = (inode, mode, 0, 0, 1, 0, len(data), 0, 0, *device, len(encoded), 0)
    header = b"070701" + b"".join(b"%08X" % field for field in fields) + encoded
    return _padded(header) + _padded(data)


def _padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % 4)
