"""Tap devices of the host: the far end of a guest's network card. Linux: Documentation/networking/tuntap.rst."""

from __future__ import annotations

import fcntl
import ipaddress
import os
import socket
import struct

_TUNSETIFF = 0x400454CA
_TUNSETVNETHDRSZ = 0x400454D8
_SIOCGIFFLAGS, _SIOCSIFFLAGS = 0x8913, 0x8914
_SIOCSIFADDR, _SIOCSIFNETMASK = 0x8916, 0x891C
_SIOCSIFMTU, _SIOCSIFHWADDR = 0x8922, 0x8924
_IFF_TAP, _IFF_MULTI_QUEUE, _IFF_NO_PI, _IFF_VNET_HDR = 0x0002, 0x0100, 0x1000, 0x4000
_IFF_UP, _IFF_RUNNING = 0x1, 0x40
_ARPHRD_ETHER = 1
_NAME_SIZE = 16
#: virtio's header with num_buffers, as every device since version 1 has it.
_HEADER_SIZE = 12


def open_tap(name: str | None, pairs: int = 1) -> tuple[list[int], str]:
    """A nonblocking descriptor for each pair of queues, and the tap's name; it is made when there is none of ``name``.

    None: a new one, ``vmtap0`` or the next free. Making one needs CAP_NET_ADMIN; one that exists needs its owner, and
    must have been made with IFF_MULTI_QUEUE if ``pairs`` is more than 1, without it if not.

    :raises OSError: no /dev/net/tun, not allowed, in use.
    """
    found: list[int] = []
    try:
        for _ in range(pairs):
            fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
            found.append(fd)
            name = _attach(fd, name, pairs > 1)
    except (OSError, ValueError):
        for fd in found:
            os.close(fd)
        raise
    assert name is not None
    return found, name


def _attach(fd: int, name: str | None, multi_queue: bool) -> str:
    encoded = b"vmtap%d" if name is None else name.encode()
    if len(encoded) >= _NAME_SIZE:
        raise ValueError(f"{name!r} is longer than {_NAME_SIZE - 1} bytes")
    flags = _IFF_TAP | _IFF_NO_PI | _IFF_VNET_HDR | (_IFF_MULTI_QUEUE if multi_queue else 0)
    answer = fcntl.ioctl(fd, _TUNSETIFF, struct.pack("16sH22x", encoded, flags))
    fcntl.ioctl(fd, _TUNSETVNETHDRSZ, struct.pack("i", _HEADER_SIZE))
    return answer[:_NAME_SIZE].rstrip(b"\0").decode()


def set_up(
    name: str, ip: str | None = None, mask: str | None = None, host_mac: str | None = None, mtu: int | None = None
) -> None:
    """Give the host's end what is not None, and switch it on. Needs CAP_NET_ADMIN unless it is all so already."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        flags = struct.unpack_from("H", _ask(control, _SIOCGIFFLAGS, name, b""), _NAME_SIZE)[0]
        if host_mac is not None:
            address = struct.pack("H6s", _ARPHRD_ETHER, bytes.fromhex(host_mac.replace(":", "")))
            _ask(control, _SIOCSIFHWADDR, name, address)
        if mtu is not None:
            _ask(control, _SIOCSIFMTU, name, struct.pack("i", mtu))
        if ip is not None:
            _ask(control, _SIOCSIFADDR, name, _inet(ip))
        if mask is not None:
            _ask(control, _SIOCSIFNETMASK, name, _inet(mask))
        if not flags & _IFF_UP:
            _ask(control, _SIOCSIFFLAGS, name, struct.pack("H", flags | _IFF_UP | _IFF_RUNNING))


def _inet(address: str) -> bytes:
    return struct.pack("HH4s8x", socket.AF_INET, 0, ipaddress.IPv4Address(address).packed)


def _ask(control: socket.socket, request: int, name: str, argument: bytes) -> bytes:
    return fcntl.ioctl(control, request, struct.pack("16s24s", name.encode(), argument))
