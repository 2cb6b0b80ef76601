"""A network namespace for a test: this thread enters it, and whatever it starts then is in it too."""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import subprocess
from collections.abc import Iterator

import pytest

_CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


@contextlib.contextmanager
def entered() -> Iterator[None]:
    """In an empty namespace with nothing but its loopback, up; it goes with the last process in it."""
    missing = [name for name in ("ip", "bridge", "nft", "dnsmasq") if shutil.which(name, path=_path()) is None]
    if missing or os.geteuid() != 0 or not os.access("/dev/net/tun", os.R_OK):
        pytest.skip(f"needs root, /dev/net/tun and Debian's iproute2, nftables and dnsmasq-base (missing: {missing})")
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        if _libc.unshare(_CLONE_NEWNET) != 0:
            pytest.skip(f"no network namespace can be made here: {os.strerror(ctypes.get_errno())}")
        try:
            subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
            yield
        finally:
            assert _libc.setns(home, _CLONE_NEWNET) == 0
    finally:
        os.close(home)


def _path() -> str:
    return f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
