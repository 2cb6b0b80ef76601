"""What a machine is made of, beside its devices and the number of its vCPUs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Memory:
    """What guest memory is made of. ``hugepage_size``: of huge pages that the host has set aside; 0: ordinary memory.

    ``thp``: transparent huge pages, unless the guest is small; ``prefault``: it is there before the guest runs;
    ``reserve``: counted against the host's limits at once; ``shared``: not private to this process; ``mergeable``: the
    host may merge equal pages (KSM).
    """

    hugepage_size: int = 0
    shared: bool = False
    prefault: bool = False
    reserve: bool = False
    thp: bool = True
    mergeable: bool = False


ORDINARY = Memory()


@dataclass(frozen=True)
class Topology:
    """How vCPUs hang together; the product of all is not less than their number."""

    threads_per_core: int
    cores_per_die: int
    dies_per_package: int
    packages: int
