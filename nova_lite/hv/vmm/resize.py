"""vm.resize: what a machine shall have from its next boot on; of one that runs only the balloon can change."""

from __future__ import annotations

from typing import Any

from nova_lite.hv.vmm import config
from nova_lite.hv.vmm.config import VmConfig
from nova_lite.hv.vmm.errors import ConfigError


def resized(old: VmConfig, wanted: dict[str, int], runs: bool) -> VmConfig:
    """``old`` with what ``wanted``, a valid VmResize document, asks for.

    :raises ConfigError: it is impossible, or not while the machine runs.
    """
    document: dict[str, Any] = old.document
    vcpus = wanted.get("desired_vcpus", old.boot_vcpus)
    ram = wanted.get("desired_ram", old.memory_size)
    if runs and vcpus != old.boot_vcpus:
        raise ConfigError(
            f"desired_vcpus: virtual CPUs cannot be added or removed while the machine runs; it has {old.boot_vcpus}"
        )
    if runs and ram != old.memory_size:
        raise ConfigError(
            f"desired_ram: memory cannot be added or removed while the machine runs; it has {old.memory_size} bytes"
        )
    changes: dict[str, Any] = {
        "cpus": document["cpus"] | {"boot_vcpus": vcpus},
        "memory": document["memory"] | {"size": ram},
    }
    if vcpus > document["cpus"]["max_vcpus"]:
        raise ConfigError(f"desired_vcpus: {vcpus} is more than max_vcpus ({document['cpus']['max_vcpus']})")
    if "desired_balloon" in wanted:
        if "balloon" not in document:
            raise ConfigError("desired_balloon: the machine has no balloon")
        if wanted["desired_balloon"] > ram:
            raise ConfigError(f"desired_balloon: the machine has no more than {ram} bytes of memory")
        changes["balloon"] = document["balloon"] | {"size": wanted["desired_balloon"]}
    return config.parse(document | changes, with_descriptors=True)
