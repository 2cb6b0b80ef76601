"""Debian packages unpacked into a cache folder without being installed: kernels and the static busybox.

An unpacked package stands in the cache under its own name and is made once: in a folder beside it that is renamed
when complete, under a lock, so that several programs may ask at once and a killed one leaves nothing half made.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

#: Part of every folder's name: a change of what is made of a package makes it anew.
LAYOUT = 3


class Unavailable(Exception):
    """What is needed cannot be had on this machine; the message says what to do about it."""


def cache_folder() -> Path:
    """$NOVA_LITE_KVMBOX_CACHE, else nova-lite-kvmbox in the user's cache folder (XDG)."""
    own = os.environ.get("NOVA_LITE_KVMBOX_CACHE")
    if own:
        return Path(own).absolute()
    shared = os.environ.get("XDG_CACHE_HOME")
    return (Path(shared) if shared else Path.home() / ".cache").absolute() / "nova-lite-kvmbox"


def unpacked(package: str, finish: Callable[[Path], None] | None = None) -> Path:
    """The folder with the contents of the newest ``package``, downloaded and unpacked if this is the first request.

    A package that is empty but for a dependency on the concrete one (linux-image-amd64) stands for that one. ``finish``
    is called once with the new folder. What stands in the cache stays until it is deleted (``refresh``).
    """
    wanted = cache_folder() / f"{package}-{LAYOUT}"
    if wanted.is_dir():
        return wanted
    with _locked(wanted):
        if not wanted.is_dir():
            _make(package, wanted, finish)
    return wanted


def refresh(package: str) -> None:
    """Forget the unpacked ``package``, so that the next request fetches the newest one."""
    wanted = cache_folder() / f"{package}-{LAYOUT}"
    with _locked(wanted), contextlib.suppress(FileNotFoundError):
        shutil.rmtree(wanted)


@contextlib.contextmanager
def _locked(wanted: Path) -> Iterator[None]:
    try:
        wanted.parent.mkdir(parents=True, exist_ok=True)
        lock = os.open(wanted.with_name(f"{wanted.name}.lock"), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise Unavailable(f"the cache folder cannot be written: {error}") from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _make(package: str, wanted: Path, finish: Callable[[Path], None] | None) -> None:
    for abandoned in wanted.parent.glob(f"{wanted.name}.new-*"):  # of a maker that was killed: we hold its lock
        shutil.rmtree(abandoned)
    with tempfile.TemporaryDirectory(prefix=f"{wanted.name}.new-", dir=wanted.parent) as made:
        contents = Path(made, "contents")
        archive = _download(_concrete(package), Path(made))
        _run(["dpkg-deb", "-x", archive.name, contents.name], cwd=made)
        if finish is not None:
            finish(contents)
        contents.rename(wanted)
    for outdated in wanted.parent.glob(f"{package}-[0-9]*"):
        if outdated.is_dir() and outdated != wanted and outdated.name.removeprefix(f"{package}-").isdigit():
            shutil.rmtree(outdated)


def _concrete(package: str) -> str:
    """The package that has the files: of a metapackage, the one it depends on."""
    listed = _run(["apt-cache", "depends", "--no-recommends", "--no-suggests", package])
    found = re.findall(r"^\s+Depends: (linux-image-\d\S*)$", listed, re.MULTILINE)
    return found[0] if found else package


def _download(package: str, folder: Path) -> Path:
    # As root, apt would fetch as its own user, who may not write here.
    _run(["apt-get", "-qq", "-o", "APT::Sandbox::User=root", "download", package], cwd=folder)
    found = list(folder.glob("*.deb"))
    if len(found) != 1:
        raise Unavailable(f"apt-get download {package} left {len(found)} packages instead of one")
    return found[0]


def _run(command: list[str], cwd: str | os.PathLike[str] | None = None) -> str:
    try:
        done = subprocess.run(command, cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise Unavailable(f"{command[0]} is not here: packages can be fetched on Debian and its kin only") from None
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise Unavailable(f"`{' '.join(command)}` failed: {last} (does `apt-get update` help?)")
    return done.stdout
