"""Flavor: the size of a server."""

from __future__ import annotations

from dataclasses import dataclass, field

from nova_lite.objects.ownerless import Ownerless


@dataclass
class Flavor(Ownerless):
    """Sizes: ``memory_mb`` and ``swap`` in MiB, ``root_gb`` and ``ephemeral_gb`` in GiB."""

    flavorid: str
    name: str
    vcpus: int
    memory_mb: int
    root_gb: int = 0
    ephemeral_gb: int = 0
    swap: int = 0
    rxtx_factor: float = 1.0
    is_public: bool = True
    disabled: bool = False
    description: str | None = None
    extra_specs: dict[str, str] = field(default_factory=dict)
    projects: list[str] = field(default_factory=list)
    id: int = 0
