"""The keys that tokens are encrypted with: one file, the newest first, followed as it changes."""

from __future__ import annotations

import os
import tempfile
import threading
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from nova_lite import exceptions

#: Tokens of keys that were replaced stay good until their key has gone through all places.
KEPT = 3


class FernetKeys:
    """Safe for several threads and processes; the file is made when the first token is."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int] | None = None
        self._keys: MultiFernet | None = None
        self._lock = threading.Lock()

    def encrypt(self, data: bytes) -> str:
        keys = self._current()
        if keys is None:
            make(self._path)
            keys = self._current()
        assert keys is not None
        return keys.encrypt(data).decode()

    def decrypt(self, token: str) -> bytes | None:
        """None for what none of the keys has encrypted."""
        keys = self._current()
        try:
            return keys.decrypt(token.encode()) if keys is not None else None
        except InvalidToken:
            return None

    def _current(self) -> MultiFernet | None:
        with self._lock:
            try:
                status = os.stat(self._path)
            except FileNotFoundError:
                self._seen = self._keys = None
                return None
            seen = (status.st_ino, status.st_mtime_ns)
            if seen != self._seen:
                self._keys, self._seen = MultiFernet([Fernet(key) for key in _read(self._path)]), seen
            return self._keys


def _read(path: Path) -> list[str]:
    keys = path.read_text(encoding="ascii").split()
    if not keys:
        raise exceptions.Unavailable(f"{path.name} holds no key: remove it, and tokens begin anew.")
    return keys


def make(path: Path) -> None:
    """The first key, unless another process was quicker."""
    temporary = _written(path, [Fernet.generate_key().decode()])
    try:
        os.link(temporary, path)  # fails when it is there
    except FileExistsError:
        return
    finally:
        os.unlink(temporary)


def rotate(path: Path) -> int:
    """A new key for new tokens; returns how many are kept. Tokens of older keys end."""
    keys = _read(path) if path.exists() else []
    kept = [Fernet.generate_key().decode(), *keys][:KEPT]
    os.replace(_written(path, kept), path)
    return len(kept)


def _written(path: Path, keys: list[str]) -> str:
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")  # mode 0600
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write("".join(f"{key}\n" for key in keys))
        file.flush()
        os.fsync(file.fileno())
    return temporary
