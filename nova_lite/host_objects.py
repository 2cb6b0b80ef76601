"""What the service has made on this host outside of its state folder: found, and removed, kind by kind.

A part that makes such things adds a line to KINDS: a module with ``find(conf)``, the things as they are now, and
``clean(conf)``, which removes those of this service and returns their names.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any

from oslo_config import cfg

KINDS = {"network": "nova_lite.network.host_objects"}


@dataclass(frozen=True)
class HostObject:
    """One thing. ``mine``: made by the service of this state folder; else by another's on the same host."""

    kind: str
    name: str
    detail: str
    mine: bool


def find(conf: cfg.ConfigOpts) -> list[HostObject]:
    """Every thing of every kind, also those of other state folders."""
    return [found for module in KINDS.values() for found in _module(module).find(conf)]


def clean(conf: cfg.ConfigOpts) -> list[str]:
    """Remove what is this service's; the names of it."""
    return [name for module in KINDS.values() for name in _module(module).clean(conf)]


def _module(name: str) -> Any:
    return importlib.import_module(name)
