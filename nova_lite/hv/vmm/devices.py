"""virtio devices of a VmConfig: defaults filled in at vm.create, files and taps opened at vm.boot."""

from __future__ import annotations

import errno
import fcntl
import ipaddress
import os
import secrets
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from nova_lite.hv.native import devices
from nova_lite.hv.native.machine import Machine
from nova_lite.hv.vmm import image_type, tap, unix_socket
from nova_lite.hv.vmm.errors import ConfigError, VmmError

_T = TypeVar("_T")

_SECTOR = 512
_DISK_DEFAULTS = {
    "readonly": False,
    "direct": False,
    "num_queues": 1,
    "queue_size": 128,
    "sparse": True,
    "disable_io_uring": False,
    "image_type": "Unknown",
}
_NET_DEFAULTS = {"num_queues": 2, "queue_size": 256, "offload_tso": True, "offload_csum": True}
#: Cloud Hypervisor's, for a tap that it makes itself.
_TAP_DEFAULTS = {"ip": "192.168.249.1", "mask": "255.255.255.0"}
_RNG_DEFAULTS = {"src": "/dev/urandom"}
_BALLOON_DEFAULTS = {"deflate_on_oom": False, "free_page_reporting": False}
_RNG_ID = "__rng"
_BALLOON_ID = "__balloon"
#: Room for "_" and a port's number in a socket's address.
_LONGEST_SOCKET = 90


def normal(document: dict[str, Any]) -> dict[str, Any]:
    """The virtio devices of a valid VmConfig document, with every default filled in.

    :raises ConfigError: what the schema cannot see: relative paths, ids given twice, addresses that are none.
    """
    found: dict[str, Any] = {}
    if document.get("rate_limit_groups"):
        found["rate_limit_groups"] = document["rate_limit_groups"]
    if document.get("disks"):
        groups = {group["id"] for group in document.get("rate_limit_groups", ())}
        found["disks"] = [_disk(index, disk, groups) for index, disk in enumerate(document["disks"])]
    if document.get("net"):
        found["net"] = [_net(index, card) for index, card in enumerate(document["net"])]
    found["rng"] = _RNG_DEFAULTS | document.get("rng", {})
    _check_path("rng.src", found["rng"]["src"])
    if "balloon" in document:
        found["balloon"] = _BALLOON_DEFAULTS | document["balloon"]
    if "vsock" in document:
        found["vsock"] = {"id": "_vsock0", **document["vsock"]}
        _check_path("vsock.socket", found["vsock"]["socket"])
        if len(os.fsencode(found["vsock"]["socket"])) > _LONGEST_SOCKET:
            raise ConfigError(f"vsock.socket: is longer than {_LONGEST_SOCKET} bytes")
    ids = [device["id"] for key in ("disks", "net") for device in found.get(key, ())]
    ids += [found["vsock"]["id"]] if "vsock" in found else []
    for name in ids:
        if ids.count(name) > 1:
            raise ConfigError(f"id: {name!r} is given to two devices")
    names = [group["id"] for group in found.get("rate_limit_groups", ())]
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(f"rate_limit_groups: {name!r} is there twice")
    return found


def add_all(machine: Machine, document: dict[str, Any], slots: Mapping[str, int] | None = None) -> None:
    """Open what the devices of a normal document need and put them on the machine's bus, disks first, each in its slot.

    :raises VmmError: a file, a tap or a device cannot be had; the key is named.
    """
    for group in document.get("rate_limit_groups", ()):
        machine.add_rate_limit_group(group["id"], _limiter(group))
    with ExitStack() as opened:
        for device in _devices(document, opened):
            machine.place_next((slots or {}).get(device.id, 0))
            machine.add(device)


def _devices(document: dict[str, Any], opened: ExitStack) -> Iterator[devices.Device]:
    for index, disk in enumerate(document.get("disks", ())):
        fd = _attempt(f"disks.{index}.path", partial(_open_disk, disk))
        opened.callback(os.close, fd)
        overlay = None
        if disk["image_type"] == "Overlay":
            overlay = _overlay(f"disks.{index}", disk, fd, opened)
        yield devices.Disk(
            disk["id"],
            fd,
            read_only=disk["readonly"],
            queues=disk["num_queues"],
            queue_size=disk["queue_size"],
            serial=disk.get("serial", disk["id"]),
            discard=disk["sparse"],
            disable_io_uring=disk["disable_io_uring"],
            limiter=_limiter(disk),
            rate_limit_group=disk.get("rate_limit_group", ""),
            overlay=overlay,
        )
    for index, card in enumerate(document.get("net", ())):
        fds = card.get("fds")
        if fds is None:
            fds = _attempt(f"net.{index}", partial(_open_tap, card))
            for fd in fds:
                opened.callback(os.close, fd)
        yield devices.Net(
            card["id"],
            tuple(fds),
            bytes.fromhex(card["mac"].replace(":", "")),
            queue_size=card["queue_size"],
            mtu=card.get("mtu", 0),
            offload_tso=card["offload_tso"],
            offload_csum=card["offload_csum"],
            limiter=_limiter(card),
        )
    if "rng" in document:
        fd = _attempt("rng.src", lambda: os.open(document["rng"]["src"], os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK))
        opened.callback(os.close, fd)
        yield devices.Rng(_RNG_ID, fd)
    if "balloon" in document:
        yield devices.Balloon(_BALLOON_ID, **document["balloon"])
    if "vsock" in document:
        vsock = document["vsock"]
        fd = _attempt("vsock.socket", lambda: _listen(Path(vsock["socket"])))
        opened.callback(os.close, fd)
        yield devices.Vsock(vsock["id"], vsock["cid"], fd, vsock["socket"])


def _listen(path: Path) -> int:
    """Listening; in place of a socket that nobody serves any more."""
    if path.is_socket():
        try:
            unix_socket.connect(path, 1.0).close()
        except ConnectionRefusedError:
            path.unlink()
    listener = unix_socket.listen(path)
    listener.setblocking(False)
    return listener.detach()


def _disk(index: int, given: dict[str, Any], groups: set[str]) -> dict[str, Any]:
    group = given.get("rate_limit_group")
    if group is not None and "rate_limiter_config" in given:
        raise ConfigError(f"disks.{index}.rate_limit_group: cannot stand beside rate_limiter_config")
    if group is not None and group not in groups:
        raise ConfigError(f"disks.{index}.rate_limit_group: {group!r} is none of rate_limit_groups")
    _check_path(f"disks.{index}.path", given["path"])
    if "backing_file" in given:
        _check_path(f"disks.{index}.backing_file", given["backing_file"])
        if given.get("image_type") != "Overlay":
            raise ConfigError(f"disks.{index}.backing_file: needs image_type Overlay")
    return {"id": f"_disk{index}", **_DISK_DEFAULTS, **given}


def _net(index: int, given: dict[str, Any]) -> dict[str, Any]:
    card = {"id": f"_net{index}", **_NET_DEFAULTS, **given}
    if "fds" in card:
        for key in ("tap", "ip", "mask", "host_mac"):
            if key in card:
                raise ConfigError(f"net.{index}.{key}: cannot stand beside fds, whose tap is set up already")
        if len(card["fds"]) * 2 != card["num_queues"]:
            raise ConfigError(f"net.{index}.fds: num_queues is {card['num_queues']}, so it needs half as many")
    elif "tap" not in card:
        card = {**_TAP_DEFAULTS, **card}
    if "ip" in card:
        card.setdefault("mask", _TAP_DEFAULTS["mask"])
    elif "mask" in card:
        raise ConfigError(f"net.{index}.mask: needs ip")
    for key in ("ip", "mask"):
        try:
            ipaddress.IPv4Address(card.get(key, "0.0.0.0"))
        except ValueError as error:
            raise ConfigError(f"net.{index}.{key}: {card[key]!r} is not an IPv4 address") from error
    # A fresh one is locally administered and nobody's group; it stays the same through every boot of the machine.
    card.setdefault("mac", ":".join(f"{byte:02x}" for byte in b"\x2e" + secrets.token_bytes(5)))
    if int(card["mac"][:2], 16) & 1:
        raise ConfigError(f"net.{index}.mac: {card['mac']} is a group's address")
    return card


def _check_path(key: str, path: str) -> None:
    if "\0" in path or not path.startswith("/"):
        raise ConfigError(f"{key}: {path!r} is not an absolute path")


def _limiter(device: dict[str, Any]) -> devices.RateLimiter:
    config = device.get("rate_limiter_config", {})
    buckets = {}
    for name in ("bandwidth", "ops"):
        bucket = config.get(name, {"size": 0, "refill_time": 0})
        buckets[name] = devices.TokenBucket(bucket["size"], bucket.get("one_time_burst", 0), bucket["refill_time"])
    return devices.RateLimiter(**buckets)


def _attempt(key: str, step: Callable[[], _T]) -> _T:
    try:
        return step()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise VmmError(400, "A device cannot be set up", f"{key}: {reason}") from error


def _overlay(key: str, disk: dict[str, Any], fd: int, opened: ExitStack) -> devices.Overlay:
    """Where the parts of the open overlay lie, its base opened and locked together with other readers of it."""
    from nova_lite.disks import overlay_format  # memory of VMs with an overlay only

    path = disk["path"]
    header = _attempt(f"{key}.path", lambda: overlay_format.read_header(fd, path))
    base_fd = None
    if "backing_file" in disk:
        base = {"path": disk["backing_file"], "readonly": True, "direct": False, "image_type": "Raw"}
        base_fd = _attempt(f"{key}.backing_file", lambda: _open_disk(base))
        opened.callback(os.close, base_fd)
    _attempt(f"{key}.backing_file", lambda: overlay_format.check_base(header, base_fd, path))
    return devices.Overlay(header.size, header.bitmap_offset, header.data_offset, -1 if base_fd is None else base_fd)


def _open_disk(disk: dict[str, Any]) -> int:
    """Open and locked: for itself alone, or with other readers. The lock ends with the VMM's last descriptor of it."""
    flags = (os.O_RDONLY if disk["readonly"] else os.O_RDWR) | os.O_CLOEXEC | os.O_NONBLOCK
    fd = os.open(disk["path"], flags | (os.O_DIRECT if disk["direct"] else 0))
    try:
        mode = os.fstat(fd).st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISBLK(mode)):
            raise ValueError("is neither a file nor a block device")
        if os.lseek(fd, 0, os.SEEK_END) < _SECTOR:
            raise ValueError("is smaller than one sector")
        if disk["image_type"] == "Unknown":
            image_type.refuse_other_formats(fd)
        try:
            fcntl.flock(fd, (fcntl.LOCK_SH if disk["readonly"] else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno == errno.EWOULDBLOCK:
                raise ValueError("is in use by another machine") from error
            raise
    except BaseException:
        os.close(fd)
        raise
    return fd


def _open_tap(card: dict[str, Any]) -> list[int]:
    fds, name = tap.open_tap(card.get("tap"), card["num_queues"] // 2)
    try:
        tap.set_up(name, card.get("ip"), card.get("mask"), card.get("host_mac"), card.get("mtu"))
    except BaseException:
        for fd in fds:
            os.close(fd)
        raise
    return fds
