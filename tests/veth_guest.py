"""A guest without a machine, with Linux' own network: a namespace whose only card is where a server's tap would be."""

from __future__ import annotations

import ctypes
import os
import socket
import subprocess
import threading

from nova_lite.network.layout import METADATA_ADDRESS, Network, Port

_CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


class VethGuest:
    """Made before the host's side of the port is: that takes the veth for the tap, and guards it likewise."""

    def __init__(self, port: Port, network: Network) -> None:
        self.port = port
        self._network = network
        ready = threading.Event()
        thread = threading.Thread(target=self._make, args=(ready,))
        thread.start()
        thread.join()
        commands = (
            f"link add {port.tap} type veth peer name eth0 address {port.mac} netns {{pid}}",
            f"link set {port.tap} up",
        )
        holder = subprocess.Popen(["sleep", "infinity"], preexec_fn=self._enter)
        try:
            for command in commands:
                subprocess.run(["ip", *command.format(pid=holder.pid).split()], check=True)
        finally:
            holder.kill()
            holder.wait()
        self.ip("link set lo up", "link set eth0 up")
        self.take(port.addresses[0])

    def _make(self, ready: threading.Event) -> None:
        assert _libc.unshare(_CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())
        self._namespace = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        ready.set()

    def _enter(self) -> None:
        assert _libc.setns(self._namespace, _CLONE_NEWNET) == 0

    def ip(self, *commands: str) -> None:
        """Run ip(8) in the guest."""
        for command in commands:
            subprocess.run(["ip", *command.split()], check=True, preexec_fn=self._enter)

    def take(self, address: str) -> None:
        """Use this address and no other; its own, or one that it should not have."""
        self.ip("address flush dev eth0", f"address add {address}/{self._network.prefix_length} dev eth0")
        self.ip(f"route replace {METADATA_ADDRESS} via {self._network.gateway}")

    def connect(self, address: tuple[str, int], seconds: float = 30.0, source: str | None = None) -> socket.socket:
        """A connection out of the guest; a socket stays in the namespace that it was made in."""
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            self._enter()
            made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            assert _libc.setns(home, _CLONE_NEWNET) == 0
        finally:
            os.close(home)
        made.settimeout(seconds)
        try:
            if source is not None:
                made.bind((source, 0))
            made.connect(address)
        except BaseException:
            made.close()
            raise
        return made

    def close(self) -> None:
        os.close(self._namespace)
