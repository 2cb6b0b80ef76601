"""Links, addresses and neighbours of this host by rtnetlink(7): one system call each, where ip(8) is a process each.

Numbers are those of <linux/rtnetlink.h>, <linux/if_link.h>, <linux/if_bridge.h>, <linux/neighbour.h> and
<linux/if_tun.h>.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from nova_lite.network.commands import NetworkError

_HEADER = struct.Struct("=IHHII")  # nlmsghdr: length, type, flags, sequence number, port
_LINK = struct.Struct("=BxHiII")  # ifinfomsg: family, type, index, flags, change
_ADDRESS = struct.Struct("=BBBBI")  # ifaddrmsg: family, prefix length, flags, scope, index
_NEIGHBOUR = struct.Struct("=BxxxiHBB")  # ndmsg: family, index, state, flags, type
_ERROR, _DONE = 2, 3
_NEWLINK, _DELLINK, _GETLINK, _NEWADDR, _GETADDR, _NEWNEIGH, _DELNEIGH = 16, 17, 18, 20, 22, 28, 29
_REQUEST, _ACK, _DUMP, _REPLACE, _EXCL, _CREATE = 0x1, 0x4, 0x300, 0x100, 0x200, 0x400
_IFF_UP = 0x1
_IFLA_ADDRESS, _IFLA_IFNAME, _IFLA_MASTER, _IFLA_LINKINFO, _IFLA_IFALIAS, _IFLA_AF_SPEC = 1, 3, 10, 18, 20, 26
_INFO_KIND, _INFO_DATA, _INFO_SLAVE_KIND, _INFO_SLAVE_DATA = 1, 2, 4, 5
_BR_FORWARD_DELAY, _BR_MCAST_SNOOPING = 1, 23
_BRPORT_LEARNING, _BRPORT_UNICAST_FLOOD, _BRPORT_MCAST_FLOOD, _BRPORT_ISOLATED = 8, 9, 27, 33
_INET6_ADDR_GEN_MODE, _GEN_MODE_NONE = 8, 1
_IFA_ADDRESS, _IFA_LOCAL = 1, 2
_NDA_DST, _NDA_LLADDR = 1, 2
_NUD_NOARP, _NUD_PERMANENT, _NTF_MASTER = 0x40, 0x80, 0x04
_AF_BRIDGE = 7
_TUNSETIFF, _TUNSETPERSIST, _TUNSETOWNER = 0x400454CA, 0x400454CB, 0x400454CC
_IFF_TAP, _IFF_NO_PI, _IFF_VNET_HDR = 0x2, 0x1000, 0x4000


@dataclass(frozen=True)
class FoundLink:
    """``master``: the index of the bridge that it is a port of, or 0; ``up``: as it was set, with a carrier or not."""

    index: int
    name: str
    alias: str
    master: int
    up: bool


class Netlink:
    """A socket to the kernel, in the network namespace of the thread that makes it. Methods raise NetworkError."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE)
        self._sequence = 0

    def __enter__(self) -> Netlink:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def links(self) -> list[FoundLink]:
        found = []
        for payload in self._ask(_GETLINK, _DUMP, _LINK.pack(0, 0, 0, 0, 0), "links cannot be listed"):
            _, _, index, flags, _ = _LINK.unpack_from(payload)
            values = dict(_attributes(payload[_LINK.size :]))
            name, alias = (
                values.get(kind, b"").rstrip(b"\0").decode(errors="replace") for kind in (_IFLA_IFNAME, _IFLA_IFALIAS)
            )
            master = struct.unpack("=I", values.get(_IFLA_MASTER, bytes(4)))[0]
            found.append(FoundLink(index, name, alias, master, bool(flags & _IFF_UP)))
        return found

    def addresses(self) -> list[tuple[int, str]]:
        """IPv4 addresses as index of the link and address."""
        found = []
        asked = _ADDRESS.pack(socket.AF_INET, 0, 0, 0, 0)
        for payload in self._ask(_GETADDR, _DUMP, asked, "addresses cannot be listed"):
            local = dict(_attributes(payload[_ADDRESS.size :])).get(_IFA_LOCAL, bytes(4))
            found.append((_ADDRESS.unpack_from(payload)[4], socket.inet_ntoa(local)))
        return found

    def add_bridge(self, name: str, mac: str) -> None:
        """A bridge that forwards from its first moment and has no opinion on multicasts."""
        data = _attribute(_BR_FORWARD_DELAY, struct.pack("=I", 0)) + _attribute(_BR_MCAST_SNOOPING, b"\0")
        info = _attribute(_INFO_KIND, b"bridge") + _attribute(_INFO_DATA, data)
        values = _attribute(_IFLA_IFNAME, name.encode() + b"\0") + _attribute(_IFLA_ADDRESS, _mac(mac))
        payload = _LINK.pack(0, 0, 0, 0, 0) + values + _attribute(_IFLA_LINKINFO, info)
        self._ask(_NEWLINK, _CREATE | _EXCL, payload, f"the bridge {name} cannot be made")

    def set_link(self, name: str, alias: str, master: str | None = None, mac: str | None = None) -> None:
        """Name its owner, put it into a bridge, give it a MAC; it gets no IPv6 address by itself."""
        mode = _attribute(_INET6_ADDR_GEN_MODE, bytes([_GEN_MODE_NONE]))
        values = _attribute(_IFLA_IFALIAS, alias.encode())
        if os.path.exists("/proc/sys/net/ipv6"):
            values += _attribute(_IFLA_AF_SPEC, _attribute(socket.AF_INET6, mode))
        if mac:
            values += _attribute(_IFLA_ADDRESS, _mac(mac))
        if master:
            values += _attribute(_IFLA_MASTER, struct.pack("=I", _index(master)))
        self._change(name, values)

    def isolate(self, name: str) -> None:
        """A port of a bridge that hears the bridge itself only, and to which nothing is flooded."""
        flags = ((_BRPORT_ISOLATED, 1), (_BRPORT_LEARNING, 0), (_BRPORT_UNICAST_FLOOD, 0), (_BRPORT_MCAST_FLOOD, 0))
        data = b"".join(_attribute(kind, bytes([value])) for kind, value in flags)
        info = _attribute(_INFO_SLAVE_KIND, b"bridge") + _attribute(_INFO_SLAVE_DATA, data)
        self._change(name, _attribute(_IFLA_LINKINFO, info))

    def set_up(self, name: str) -> None:
        self._change(name, b"", _IFF_UP)

    def delete(self, name: str) -> None:
        """No such link afterwards."""
        try:
            self._ask(_DELLINK, 0, _LINK.pack(0, 0, _index(name), 0, 0), f"{name} cannot be removed")
        except NetworkError:
            with contextlib.suppress(OSError):
                socket.if_nametoindex(name)
                raise

    def add_address(self, name: str, address: str, prefix_length: int, of_link: bool = False) -> None:
        """Stays as it is where it is there. :param of_link: of meaning on this link only."""
        scope = 253 if of_link else 0
        packed = socket.inet_aton(address)
        payload = _ADDRESS.pack(socket.AF_INET, prefix_length, 0, scope, _index(name))
        payload += _attribute(_IFA_LOCAL, packed) + _attribute(_IFA_ADDRESS, packed)
        self._ask(_NEWADDR, _CREATE | _REPLACE, payload, f"{name} cannot have the address {address}")

    def add_neighbour(self, name: str, address: str, mac: str) -> None:
        """Nobody needs to be asked who has an address."""
        payload = _NEIGHBOUR.pack(socket.AF_INET, _index(name), _NUD_PERMANENT, 0, 0)
        payload += _attribute(_NDA_DST, socket.inet_aton(address)) + _attribute(_NDA_LLADDR, _mac(mac))
        self._ask(_NEWNEIGH, _CREATE | _REPLACE, payload, f"{name} cannot know {address}")

    def forget_neighbour(self, name: str, address: str) -> None:
        """Nothing to do where it is not known."""
        payload = _NEIGHBOUR.pack(socket.AF_INET, _index(name), 0, 0, 0)
        with contextlib.suppress(NetworkError):
            payload += _attribute(_NDA_DST, socket.inet_aton(address))
            self._ask(_DELNEIGH, 0, payload, f"{name} cannot forget {address}")

    def add_station(self, name: str, mac: str) -> None:
        """A bridge's port behind which a MAC is, for ever."""
        payload = _NEIGHBOUR.pack(_AF_BRIDGE, _index(name), _NUD_NOARP, _NTF_MASTER, 0)
        payload += _attribute(_NDA_LLADDR, _mac(mac))
        self._ask(_NEWNEIGH, _CREATE | _REPLACE, payload, f"the bridge cannot know {mac} behind {name}")

    def _change(self, name: str, values: bytes, flags: int = 0) -> None:
        payload = _LINK.pack(0, 0, _index(name), flags, flags) + values
        self._ask(_NEWLINK, 0, payload, f"{name} cannot be set up")

    def _ask(self, kind: int, flags: int, payload: bytes, failure: str) -> list[bytes]:
        """The payloads of the answers."""
        self._sequence += 1
        flags |= _REQUEST | (_ACK if flags & _DUMP != _DUMP else 0)
        header = _HEADER.pack(_HEADER.size + len(payload), kind, flags, self._sequence, 0)
        try:
            self._socket.send(header + payload)
            return list(self._answers())
        except OSError as error:
            raise NetworkError(f"{failure}: {error.strerror}.") from error

    def _answers(self) -> Iterator[bytes]:
        while True:
            data = self._socket.recv(1 << 20)
            while len(data) >= _HEADER.size:
                length, kind, _, sequence, _ = _HEADER.unpack_from(data)
                payload, data = data[_HEADER.size : length], data[-(-length // 4) * 4 :]
                if sequence != self._sequence:
                    continue  # what is left of an answer that was given up
                if kind == _DONE:
                    return
                if kind == _ERROR:
                    if number := -struct.unpack_from("=i", payload)[0]:
                        raise OSError(number, os.strerror(number))
                    return
                yield payload


def make_tap(name: str) -> None:
    """A tap that stays, to be opened by this user's processes; left as it is when it is there. :raises NetworkError"""
    with contextlib.suppress(OSError):
        socket.if_nametoindex(name)
        return
    try:
        with open("/dev/net/tun", "rb", buffering=0) as device:
            fcntl.ioctl(
                device, _TUNSETIFF, struct.pack("=16sH22x", name.encode(), _IFF_TAP | _IFF_NO_PI | _IFF_VNET_HDR)
            )
            fcntl.ioctl(device, _TUNSETOWNER, os.geteuid())
            fcntl.ioctl(device, _TUNSETPERSIST, 1)
    except OSError as error:
        raise NetworkError(f"the tap {name} cannot be made: {error.strerror}.") from error


def _index(name: str) -> int:
    try:
        return socket.if_nametoindex(name)
    except OSError as error:
        raise NetworkError(f"{name} is not there.") from error


def _mac(text: str) -> bytes:
    return bytes.fromhex(text.replace(":", ""))


def _attribute(kind: int, value: bytes) -> bytes:
    length = 4 + len(value)
    return struct.pack("=HH", length, kind) + value + bytes(-length % 4)


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    while len(data) >= 4:
        length, kind = struct.unpack_from("=HH", data)
        if length < 4:
            return
        yield kind & 0x3FFF, data[4:length]
        data = data[-(-length // 4) * 4 :]
