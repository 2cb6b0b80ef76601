"""The kernel that tests boot on our own VMM: Debian's cloud kernel, unmodified."""

from __future__ import annotations

from tests.nested import kernels

PACKAGE = "linux-image-cloud-amd64"


def kernel() -> kernels.Kernel:
    """Its release, ``vmlinuz``, ``config`` and ``modules`` folder; raises ``packages.Unavailable``."""
    return kernels.debian(PACKAGE)
