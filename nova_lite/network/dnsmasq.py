"""DHCP and DNS of one network: a dnsmasq process that outlives us, found again by its pid file and command line."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import select
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

from nova_lite.network.commands import NetworkError, begin
from nova_lite.network.layout import METADATA_ADDRESS, Network, Port

_END_SECONDS = 5.0


class Dnsmasq:
    """``folder`` is the network's own and must be readable by nobody, as whom dnsmasq runs; ``domain`` is that of the
    servers' names, "" for none."""

    def __init__(self, network: Network, folder: Path, domain: str = "") -> None:
        self.network, self.folder, self.domain = network, folder, domain
        self._dhcp, self._dns = folder / "dhcp", folder / "dns"
        self._pid_file = folder / "dnsmasq.pid"
        self._told: dict[str, str] = {}  # address → MAC, as the running process knows them

    def pid(self) -> int | None:
        """The process, if it runs."""
        try:
            pid = int(self._pid_file.read_text())
            arguments = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except (OSError, ValueError):
            return None
        return pid if f"--pid-file={self._pid_file}".encode() in arguments else None

    def start(self, ports: list[Port]) -> None:
        """Run it, for these ports; returns when it serves. :raises NetworkError: with its own words."""
        self.begin(ports)()

    def begin(self, ports: list[Port]) -> Callable[[], str]:
        """As ``start``, but what is returned has to be called, and waits until it serves."""
        self.stop()
        for folder in (self._dhcp, self._dns):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(mode=0o755, parents=True)
        for port in ports:
            self._write(port)
        self._told = {address: port.mac for port in ports for address in port.addresses}
        return begin(["dnsmasq", *self._options()])

    def add(self, port: Port, ports: list[Port]) -> None:
        """Serve one more port. An address that had another MAC is leased to that: only a new process forgets it."""
        if any(self._told.get(address, port.mac) != port.mac for address in port.addresses):
            self.start(ports)
            return
        self._told |= dict.fromkeys(port.addresses, port.mac)
        self._write(port)  # it watches the folders

    def remove(self, port: Port) -> None:
        """Serve a port no longer."""
        for folder in (self._dhcp, self._dns):
            (folder / port.id).unlink(missing_ok=True)
        if (pid := self.pid()) is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGHUP)

    def stop(self) -> None:
        """No process of this network afterwards."""
        if (pid := self.pid()) is not None:
            with contextlib.suppress(ProcessLookupError):
                descriptor = os.pidfd_open(pid)
                try:
                    signal.pidfd_send_signal(descriptor, signal.SIGKILL)  # it has nothing to put in order
                    select.select([descriptor], [], [], _END_SECONDS)
                finally:
                    os.close(descriptor)
        self._pid_file.unlink(missing_ok=True)

    def destroy(self) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _write(self, port: Port) -> None:
        """A file per port in each folder, whole from its first moment: dnsmasq reads it as soon as it is there."""
        first = next(iter(port.addresses), None)
        if first is None:
            return
        names = f"{port.hostname} {port.hostname}.{self.domain}" if self.domain else port.hostname
        try:
            for folder, text in (
                (self._dhcp, f"{port.mac},{first},{port.hostname}\n"),
                (self._dns, "".join(f"{address} {names}\n" for address in port.addresses)),
            ):
                draft = self.folder / f"{port.id}.new"
                draft.write_text(text)
                draft.chmod(0o644)
                draft.rename(folder / port.id)
        except OSError as error:
            raise NetworkError(f"{error.filename}: {error.strerror}") from error

    def _options(self) -> list[str]:
        network = self.network
        mask = ipaddress.IPv4Network(network.cidr).netmask
        gateway = network.gateway
        start = ipaddress.IPv4Network(network.cidr).network_address
        return [
            "--conf-file=/dev/null",
            f"--pid-file={self._pid_file}",
            f"--listen-address={gateway}",  # not the metadata address, which every bridge has
            "--bind-interfaces",
            "--user=nobody",
            *([f"--dhcp-range={start},static,{mask},24h"] if network.dhcp else []),
            f"--dhcp-hostsdir={self._dhcp}",
            f"--hostsdir={self._dns}",
            "--leasefile-ro",  # every address is a fixed one: no lease is worth keeping
            "--dhcp-authoritative",
            "--dhcp-ignore=tag:!known",
            "--no-ping",
            "--no-hosts",
            *([f"--domain={self.domain}", f"--local=/{self.domain}/"] if self.domain else []),
            "--bogus-priv",
            "--quiet-dhcp",
            f"--dhcp-option=option:router,{gateway}",
            f"--dhcp-option=option:dns-server,{','.join(network.dns or (gateway,))}",
            f"--dhcp-option=option:classless-static-route,{METADATA_ADDRESS}/32,{gateway},0.0.0.0/0,{gateway}",
        ]
