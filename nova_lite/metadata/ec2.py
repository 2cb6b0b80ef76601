"""The EC2 form of metadata: a tree of values, as Nova serves it (nova/api/metadata/base.py)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nova_lite.metadata.facts import Facts

VERSIONS = (
    *("1.0", "2007-01-19", "2007-03-01", "2007-08-29", "2007-10-10", "2007-12-15", "2008-02-01", "2008-09-01"),
    "2009-04-04",
)
LATEST = "latest"
#: What Nova says of a server that has none that it knows.
_NO_DEVICES = {"ami": "sda1", "ephemeral0": "sda2", "root": "/dev/sda1", "swap": "sda3"}

Tree = dict[str, Any]


def tree(facts: Facts, version: str) -> Tree:
    """Everything of a version: {"meta-data": {...}} and "user-data", if there is any. KeyError for no version."""
    version = VERSIONS[-1] if version == LATEST else version
    known = VERSIONS.index(version) if version in VERSIONS else None
    if known is None:
        raise KeyError(version)

    def since(first: str) -> bool:
        return known >= VERSIONS.index(first)

    instance = facts.instance
    found: Tree = {
        "ami-id": f"ami-{instance.image_ref[:8]}",
        "ami-launch-index": instance.launch_index,
        "ami-manifest-path": "FIXME",  # Nova's word, which clients know
        "instance-id": f"i-{instance.id:08x}",
        "hostname": facts.hostname,
        "local-ipv4": next(iter(facts.addresses), ""),
        "reservation-id": instance.reservation_id,
        "security-groups": facts.security_groups,
    }
    if instance.keypair:
        found["public-keys"] = {"0": {"openssh-key": instance.keypair["public_key"]}}
    if since("2007-01-19"):
        found |= {"local-hostname": facts.hostname, "public-hostname": facts.hostname, "public-ipv4": ""}
    if since("2007-08-29"):
        found["instance-type"] = instance.flavor.name
    if since("2007-12-15"):
        found["block-device-mapping"] = _devices(facts)
        found |= {"kernel-id": instance.kernel_id} if instance.kernel_id else {}
        found |= {"ramdisk-id": instance.ramdisk_id} if instance.ramdisk_id else {}
    if since("2008-02-01"):
        found["placement"] = {"availability-zone": instance.availability_zone}
    if since("2008-09-01"):
        found["instance-action"] = "none"
    whole: Tree = {"meta-data": found}
    if facts.user_data is not None:
        whole["user-data"] = facts.user_data
    return whole


def _devices(facts: Facts) -> dict[str, str]:
    root = facts.instance.root_device_name
    if not root:
        return dict(_NO_DEVICES)
    found = {"ami": root.removeprefix("/dev/"), "root": root}
    kinds = {
        "ebs": sorted(disk.device_name for disk in facts.disks if disk.destination_type == "volume"),
        "ephemeral": [disk.device_name for disk in facts.disks if disk.is_ephemeral and disk.boot_index != 0],
    }
    found |= {f"{kind}{number}": name for kind, names in kinds.items() for number, name in enumerate(names)}
    for disk in facts.disks:
        if disk.is_swap:
            found["swap"] = disk.device_name
    return found


def item(facts: Facts, version: str, path: Sequence[str]) -> bytes:
    """The value at ``path``, or the listing of a folder. KeyError when nothing is there."""
    found: Any = tree(facts, version)
    for name in path:
        if not isinstance(found, dict):
            raise KeyError(name)
        found = found[name]
    if isinstance(found, dict):
        is_keys = list(path) == ["meta-data", "public-keys"]
        return _listed(found, {"0": f"0={facts.instance.key_name}"} if is_keys else {}).encode()
    if isinstance(found, list):
        found = "\n".join(found)
    return found if isinstance(found, bytes) else str(found).encode()


def _listed(folder: Tree, names: dict[str, str]) -> str:
    """A line each, sorted; a folder ends with a slash, unless it has a name of its own here: a key's."""
    return "\n".join(
        names.get(name) or (f"{name}/" if isinstance(value, dict) else name) for name, value in sorted(folder.items())
    )
