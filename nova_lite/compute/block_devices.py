"""The disks of a new server: what a request asks for, checked as Nova checks it, and what its flavor adds."""

from __future__ import annotations

import itertools
import re
import string
import uuid as uuidlib
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from nova_lite import exceptions, objects
from nova_lite.volumes.types import TYPE_ID, TYPE_NAME

_GIB, _MIB = 1 << 30, 1 << 20
#: Of a machine's 16; a config drive needs one too.
MOST_DISKS = 15
_EPHEMERAL = re.compile(r"ephemeral(\d|[1-9]\d+)")
#: What Nova knows; machines here have virtio alone.
_DISK_BUSES = frozenset({"fdc", "ide", "lxc", "none", "sata", "scsi", "sd", "uml", "unmap", "usb", "virtio", "xen"})


class InvalidBDM(exceptions.Invalid):
    """Nova's words for a block device mapping that cannot be."""

    def __init__(self, details: str) -> None:
        super().__init__(f"Block Device Mapping is Invalid: {details}")


def wishes(
    devices: list[dict[str, Any]] | None, legacy: list[dict[str, Any]] | None, image_ref: str
) -> list[objects.BlockDevice]:
    """What a request lists as ``block_device_mapping_v2`` or ``block_device_mapping``; just the image where it lists
    nothing. Sizes that it leaves to the flavor or the image are 0.

    :param image_ref: the image that the server is to boot; "" for none.
    :raises Invalid: naming what contradicts itself or does not exist here.
    """
    image = [_of_image(image_ref)] if image_ref else []
    if devices:
        return [_wish(device, image_ref) for device in devices if not device.get("no_device")]
    return image + [_legacy_wish(device) for device in legacy or () if not device.get("no_device")]


def of_server(
    wished: list[objects.BlockDevice], flavor: objects.Flavor, image: objects.Image, max_local: int
) -> list[objects.BlockDevice]:
    """Every disk of a new server, in the order in which its guest sees and names them, with their sizes.

    An image without a disk has its root in its initramfs: then there is no root disk.

    :param max_local: how many local disks may be asked for; -1 is any number.
    :raises Invalid: in Nova's words: no root, or more than one; larger than the flavor allows.
    """
    boot_indexes = sorted(device.boot_index for device in wished if device.boot_index >= 0)
    if not boot_indexes or boot_indexes != list(range(len(boot_indexes))):
        raise InvalidBDM("Boot sequence for the instance and image/block device mapping combination is not valid.")
    root = next(device for device in wished if device.boot_index == 0)
    if root.destination_type == "local" and root.source_type != "image":
        raise InvalidBDM("Boot sequence for the instance and image/block device mapping combination is not valid.")
    ephemeral = [device for device in wished if device.is_ephemeral]
    swap = [device for device in wished if device.is_swap]
    if sum(device.size or flavor.ephemeral_gb * _GIB for device in ephemeral) > flavor.ephemeral_gb * _GIB:
        raise exceptions.Invalid(
            "Ephemeral disks requested are larger than the instance type allows. If no size is given in one block "
            "device mapping, flavor ephemeral size will be used."
        )
    if len(swap) > 1:
        raise InvalidBDM("More than one swap drive requested.")
    if sum(device.size for device in swap) > flavor.swap * _MIB:
        raise exceptions.Invalid("Swap drive requested is larger than instance type allows.")
    if not ephemeral:
        ephemeral = [_blank(flavor.ephemeral_gb * _GIB)]
    if not swap:
        swap = [_blank(flavor.swap * _MIB, "swap")]
    if 0 <= max_local < len([device for device in wished if device.destination_type == "local"]):
        raise InvalidBDM("You specified more local devices than the limit allows")
    volumes = [device for device in wished if device.destination_type == "volume" and device is not root]
    local_root = root_size(flavor, image) if root.destination_type == "local" else 0
    sizes: list[tuple[Iterable[objects.BlockDevice], int]] = [
        ([root], local_root),
        (ephemeral, flavor.ephemeral_gb * _GIB),
        (swap, flavor.swap * _MIB),
        (volumes, 0),
    ]
    whole = [replace(device, size=device.size or size) for devices, size in sizes for device in devices]
    if len([device for device in whole if device.size]) > MOST_DISKS:
        raise InvalidBDM(
            f"The maximum allowed number of disk devices ({MOST_DISKS}) to attach to a single instance has been "
            "exceeded."
        )
    return [
        replace(device, device_name=f"/dev/{name_of(index)}")
        for index, device in enumerate(device for device in whole if device.size)
    ]


def root_size(flavor: objects.Flavor, image: objects.Image) -> int:
    """Of the disk that a server gets from an image, in bytes: the flavor's, or the image's own where that says 0; 0
    when the image has no disk.

    :raises Invalid: the flavor's disk is too small for the image.
    """
    needed, minimum, size = image.virtual_size or image.size, image.min_disk * _GIB, flavor.root_gb * _GIB
    if size and needed > size:
        raise exceptions.Invalid(
            "Flavor's disk is too small for requested image. "
            f"Flavor disk is {size} bytes, image is {needed} bytes."
        )
    if size and minimum > size:
        raise exceptions.Invalid(
            "Flavor's disk is smaller than the minimum size specified in image metadata. "
            f"Flavor disk is {size} bytes, minimum size is {minimum} bytes."
        )
    if not image.disk or not image.virtual_size:
        return 0
    return size or image.virtual_size


def free_name(devices: list[objects.BlockDevice]) -> str:
    """Of a disk that comes to these."""
    taken = {device.device_name for device in devices}
    return next(name for name in (f"/dev/{name_of(index)}" for index in itertools.count()) if name not in taken)


def name_of(index: int) -> str:
    """As Linux names the disks of virtio: vda to vdz, then vdaa."""
    letters = ""
    while index >= 0:
        index, letter = divmod(index, 26)
        letters = string.ascii_lowercase[letter] + letters
        index -= 1
    return f"vd{letters}"


def _wish(given: dict[str, Any], image_ref: str) -> objects.BlockDevice:
    source, uuid = given.get("source_type"), given.get("uuid")
    if source is None:
        raise InvalidBDM("Some required fields are missing")
    destination = given.get("destination_type") or ("local" if source in ("image", "blank") else "volume")
    boot_index = given.get("boot_index")
    boot_index = -1 if boot_index is None else max(int(boot_index), -1)
    if source == "blank" and uuid:
        raise InvalidBDM("Invalid device UUID.")
    if source != "blank" and not uuid:
        raise InvalidBDM("Missing device UUID.")
    if source == "image" and destination == "local" and not (image_ref and boot_index == 0):
        raise InvalidBDM("Mapping image to local is not supported.")
    if destination == "local" and given.get("volume_type"):
        raise InvalidBDM("Specifying a volume_type with destination_type=local is not supported.")
    if source in ("volume", "snapshot") and destination == "local":
        raise InvalidBDM(f"Mapping {source} to local is not supported.")
    if image_ref and destination == "volume" and (given.get("device_name") or "").removeprefix("/dev/") == name_of(0):
        raise exceptions.Invalid(f"The volume cannot be assigned the same device name as the root device {name_of(0)}")
    if destination == "volume":
        return _volume(given, source, uuid, boot_index)
    if source == "image" and uuid != image_ref:
        raise exceptions.Invalid(f"The image of the root disk ({uuid}) and imageRef ({image_ref}) differ.")
    _check_kind(given)
    if source == "image":
        return replace(_of_image(image_ref), tag=given.get("tag"))
    form = given.get("guest_format")
    size = int(given.get("volume_size") or 0) * (_MIB if form == "swap" else _GIB)
    return replace(_blank(size, form), boot_index=boot_index, tag=given.get("tag"))


def _volume(given: dict[str, Any], source: str, uuid: str | None, boot_index: int) -> objects.BlockDevice:
    """A volume that there is, or one that is made with the server."""
    _check_kind(given)
    size = int(given.get("volume_size") or 0) * _GIB
    if given.get("guest_format"):
        raise InvalidBDM("The guest_format of a volume is not for its server to say.")
    if given.get("volume_type") not in (None, "", TYPE_NAME, TYPE_ID):
        raise exceptions.Invalid(f"Volume type {given['volume_type']} could not be found.")
    if source == "image" and not size:
        raise InvalidBDM("Images with destination_type 'volume' need to have a non-zero size specified")
    if source == "blank" and not size:
        raise InvalidBDM("Blank volumes (source: 'blank', dest: 'volume') need to have non-zero size")
    return objects.BlockDevice(
        uuid=_new_id(),
        source_type=source,
        destination_type="volume",
        size=size,
        boot_index=boot_index,
        image_id=uuid if source == "image" else None,
        volume_id=uuid if source == "volume" else None,
        snapshot_id=uuid if source == "snapshot" else None,
        delete_on_termination=bool(given.get("delete_on_termination", False)),
        tag=given.get("tag"),
    )


def _check_kind(given: dict[str, Any]) -> None:
    """What machines here cannot give a disk is refused, not ignored."""
    bus = given.get("disk_bus")
    if bus and bus not in _DISK_BUSES:
        raise InvalidBDM(f"The provided disk bus {bus} is not valid.")
    if bus not in (None, "", "virtio"):
        raise InvalidBDM(f"The provided disk bus {bus} is not valid here: disks are on virtio.")
    if given.get("device_type") not in (None, "", "disk"):
        raise InvalidBDM(f"The device_type {given['device_type']} is not valid here: it can only be disk.")
    if given.get("guest_format") not in (None, "", "swap"):
        raise InvalidBDM(
            f"The guest_format {given['guest_format']} is not valid here: a disk is swap, or the guest formats it."
        )


def _legacy_wish(given: dict[str, Any]) -> objects.BlockDevice:
    name = given.get("virtual_name") or ""
    size = int(given.get("volume_size") or 0)
    if name == "swap":
        return _blank(size * _MIB, "swap")
    if _EPHEMERAL.fullmatch(name):
        return _blank(size * _GIB)
    if given.get("snapshot_id"):
        return _volume(given, "snapshot", given["snapshot_id"], -1)
    if given.get("volume_id"):
        return _volume(given, "volume", given["volume_id"], -1)
    raise InvalidBDM("Unrecognized legacy format.")


def _of_image(image_ref: str) -> objects.BlockDevice:
    return objects.BlockDevice(_new_id(), "image", "local", 0, boot_index=0, image_id=image_ref)


def _blank(size: int, form: str | None = None) -> objects.BlockDevice:
    return objects.BlockDevice(_new_id(), "blank", "local", size, guest_format=form or None)


def _new_id() -> str:
    return str(uuidlib.uuid4())
