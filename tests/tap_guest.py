"""Guests without a machine: a thread that answers ARP and ICMP echo on taps, and sends what a test likes."""

from __future__ import annotations

import ipaddress
import os
import queue
import select
import struct
import threading
import time
from collections.abc import Iterable

from nova_lite.hv.vmm import tap
from nova_lite.network.layout import Port

BROADCAST = "ff:ff:ff:ff:ff:ff"
ARP, IPV4 = 0x0806, 0x0800
_VNET_HEADER = bytes(12)


def mac(text: str) -> bytes:
    return bytes.fromhex(text.replace(":", ""))


def ip(text: str) -> bytes:
    return ipaddress.IPv4Address(text).packed


def checksum(data: bytes) -> int:
    words = struct.unpack(f"!{(len(data) + 1) // 2}H", data + b"\0" * (len(data) % 2))
    total = sum(words)
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def arp(operation: int, from_mac: str, from_ip: str, to_mac: str, to_ip: str, frame_from: str | None = None) -> bytes:
    head = mac(BROADCAST if operation == 1 else to_mac) + mac(frame_from or from_mac) + struct.pack("!H", ARP)
    body = struct.pack("!HHBBH", 1, IPV4, 6, 4, operation) + mac(from_mac) + ip(from_ip)
    return head + body + (bytes(6) if operation == 1 else mac(to_mac)) + ip(to_ip)


def ipv4(from_mac: str, to_mac: str, source: str, target: str, protocol: int, payload: bytes) -> bytes:
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), 7, 0, 64, protocol, 0, ip(source), ip(target))
    head = head[:10] + struct.pack("!H", checksum(head)) + head[12:]
    return mac(to_mac) + mac(from_mac) + struct.pack("!H", IPV4) + head + payload


def udp(source_port: int, target_port: int, data: bytes) -> bytes:
    return struct.pack("!HHHH", source_port, target_port, 8 + len(data), 0) + data  # without a checksum


def tcp_syn(source: str, target: str, port: int) -> bytes:
    head = struct.pack("!HHIIBBHHH", 40000, port, 1, 0, 0x50, 0x02, 1024, 0, 0)
    pseudo = ip(source) + ip(target) + struct.pack("!BBH", 0, 6, len(head))
    return head[:16] + struct.pack("!H", checksum(pseudo + head)) + head[18:]


def echo(kind: int, identifier: int) -> bytes:
    head = struct.pack("!BBHHH", kind, 0, 0, identifier, 1)
    return head[:2] + struct.pack("!H", checksum(head)) + head[4:]


class TapGuests:
    """Guests of these ports, one thread for all. ``heard`` has, per port, every frame that it did not answer."""

    def __init__(self, ports: Iterable[Port]) -> None:
        self._guests = {tap.open_tap(port.tap)[0][0]: port for port in ports}
        self._fds = {port.id: fd for fd, port in self._guests.items()}
        self.heard: dict[str, queue.SimpleQueue[bytes]] = {name: queue.SimpleQueue() for name in self._fds}
        self._stop_reader, self._stop_writer = os.pipe()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def send(self, port: Port, frame: bytes) -> None:
        os.write(self._fds[port.id], _VNET_HEADER + frame)

    def find_gateways(self, gateways: dict[str, str], seconds: float = 20.0) -> None:
        """Ask for the gateway (by network) until it answers, as machines do: a new port of a bridge loses frames."""
        for fd, port in self._guests.items():
            question = arp(1, port.mac, port.addresses[0], "", gateways[port.network_id])
            deadline = time.monotonic() + seconds
            while time.monotonic() < deadline:
                os.write(fd, _VNET_HEADER + question)
                try:
                    if self.heard[port.id].get(timeout=0.2)[12:14] == struct.pack("!H", ARP):
                        break
                except queue.Empty:
                    continue
            else:
                raise AssertionError(f"{port.tap}: the gateway does not answer")

    def close(self) -> None:
        os.write(self._stop_writer, b"x")
        self._thread.join()
        for fd in (*self._guests, self._stop_reader, self._stop_writer):
            os.close(fd)

    def _run(self) -> None:
        poll = select.epoll()
        for fd in (*self._guests, self._stop_reader):
            poll.register(fd, select.EPOLLIN)
        while True:
            for fd, _ in poll.poll():
                if fd == self._stop_reader:
                    return
                try:
                    frame = os.read(fd, 65536)[len(_VNET_HEADER) :]
                except OSError:  # its tap was taken away: that guest hears no more
                    poll.unregister(fd)
                    continue
                answer = _answer(self._guests[fd], frame)
                if answer is not None:
                    os.write(fd, _VNET_HEADER + answer)
                else:
                    self.heard[self._guests[fd].id].put(frame)


def _answer(port: Port, frame: bytes) -> bytes | None:
    own = port.addresses[0]
    kind = struct.unpack("!H", frame[12:14])[0]
    sender = ":".join(f"{byte:02x}" for byte in frame[6:12])
    if kind == ARP and frame[20:22] == b"\0\1" and frame[38:42] == ip(own):
        return arp(2, port.mac, own, sender, str(ipaddress.IPv4Address(frame[28:32])))
    if kind == IPV4 and frame[23] == 1 and frame[34] == 8 and frame[30:34] == ip(own):
        data = bytes([0, 0, 0, 0]) + frame[38:]
        data = data[:2] + struct.pack("!H", checksum(data)) + data[4:]
        return ipv4(port.mac, sender, own, str(ipaddress.IPv4Address(frame[26:30])), 1, data)
    return None
