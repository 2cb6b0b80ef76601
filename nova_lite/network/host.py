"""The networks of one service on this host, made, kept and removed: what is wanted comes as a Layout."""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import threading
from collections.abc import Callable, Collection, Iterable
from dataclasses import replace
from pathlib import Path

from nova_lite.network import firewall, links, nft
from nova_lite.network.commands import NetworkError
from nova_lite.network.dnsmasq import Dnsmasq
from nova_lite.network.layout import BRIDGE_PREFIX, Layout, Network, Port
from nova_lite.network.nft import Nft

LOG = logging.getLogger(__name__)

TABLE_PREFIX = "nova_lite_"
_CAP_NET_ADMIN = 12


def lacking() -> str | None:
    """Why this host cannot have networks, in a sentence; None when it can."""
    if not _may_administrate():
        return "the service does not have CAP_NET_ADMIN (run it as root)"
    if not os.access("/dev/net/tun", os.R_OK | os.W_OK):
        return "/dev/net/tun cannot be opened"
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    for program, package in (("ip", "iproute2"), ("dnsmasq", "dnsmasq-base")):
        if shutil.which(program, path=path) is None:
            return f"{program} is not installed (Debian: {package})"
    try:
        library = Nft()
    except NetworkError as error:
        return str(error).rstrip(".")
    try:
        with library:
            library.run(firewall.everything("nova_lite_check", Layout({}, {}, {})), dry_run=True)
    except NetworkError as error:
        return f"the kernel does not have the firewall that it needs ({error})"
    return None


def _may_administrate() -> bool:
    status = Path("/proc/self/status").read_text()
    effective = int(status.partition("CapEff:")[2].split()[0], 16)
    return bool(effective >> _CAP_NET_ADMIN & 1)


class HostNetwork:
    """One service's share of the host. ``state``: its folder, by which what it made is told from another's;
    ``run_path``: where dnsmasq, that is nobody, can read its files; ``domain``: what servers' names end in."""

    def __init__(self, state: Path, run_path: Path, domain: str = "") -> None:
        self.owner = f"nova-lite:{state}"
        mark = hashlib.sha256(str(state).encode()).hexdigest()[:8]
        self.table, self._domain = TABLE_PREFIX + mark, domain
        self.run_path = run_path / mark
        self._dnsmasqs: dict[str, Dnsmasq] = {}
        self._starting: dict[str, Callable[[], str]] = {}  # networks whose dnsmasq is about to serve
        self._failures: dict[str, NetworkError] = {}
        self._nft: Nft | None = None  # made by the first thread that needs it, which is in the right namespace
        self._text: str | None = None  # the tables as they are listed after we replaced them; None: look anew
        self._wanted = ""  # and what they were made of
        self._known: set[str] = set()  # networks and groups that they have
        self._ports: dict[str, Port] = {}  # as links and dnsmasq were told of them last
        self._lock = threading.RLock()

    def add(self, layout: Layout, ports: Collection[Port], wait: bool = True) -> None:
        """Give these ports of ``layout`` their taps. Repeating it is harmless. :raises NetworkError: it cannot be.

        :param wait: until the dnsmasq of a new network serves; else ``settle`` does.
        """
        with self._lock:
            for port in ports:
                network = layout.networks[port.network_id]
                self._settle(network.id)
                self._failures.pop(network.id, None)
                is_new = network.id not in self._dnsmasqs or not links.exists(network.bridge)
                if is_new:
                    self._drop_gone(layout)
                    self._starting[network.id] = self._begin_network(network, layout)
                self._make_externals(layout)
                self._text = None
                try:
                    self._apply(firewall.one_port(self.table, layout, port, self._known))
                except NetworkError:  # no tables yet, or somebody emptied them
                    self._apply(firewall.everything(self.table, layout))
                self._known |= {network.id, *layout.groups, *(external.id for external in layout.externals())}
                links.make_tap(port, network, self.owner)  # last: no frame leaves an unguarded tap
                self._ports[port.id] = port
                if not is_new:
                    self._dnsmasqs[network.id].add(port, _of(layout, network))
            if wait:
                self.settle({port.network_id for port in ports})

    def settle(self, network_ids: Iterable[str]) -> None:
        """Wait until the dnsmasq of these networks serves. :raises NetworkError: it does not start."""
        with self._lock:
            for network_id in network_ids:
                self._settle(network_id)
                if (failure := self._failures.pop(network_id, None)) is not None:
                    raise failure

    def _settle(self, network_id: str) -> None:
        if network_id in self._starting:
            self._starting.pop(network_id)()

    def remove(self, layout: Layout, ports: Collection[Port]) -> None:
        """Take the taps of these ports away; ``layout`` has them still."""
        with self._lock:
            self._settle_all()
            for port in ports:
                network = layout.networks[port.network_id]
                links.remove(port.tap)
                self._ports.pop(port.id, None)
                links.forget_neighbours(port, network)
                if network.id in self._dnsmasqs:
                    self._dnsmasqs[network.id].remove(port)
                self._text = None
                try:
                    self._apply(firewall.without_port(self.table, layout, port))
                except NetworkError:  # it was not there, or not as it is now: the tables are made anew
                    left = {one.id: one for one in layout.ports.values() if one not in ports}
                    self._apply(firewall.everything(self.table, replace(layout, ports=left)))

    def check(self, layout: Layout) -> None:
        """Make the host what ``layout`` says, mending what was changed behind our back. Networks without ports get
        nothing on the host, and lose what they had."""
        with self._lock:
            self._settle_all()
            found = {link.name: link for link in links.ours() if link.owner == self.owner}
            used = {port.network_id for port in layout.ports.values()}
            wanted = {layout.networks[identifier].bridge for identifier in used}
            wanted |= {port.tap for port in layout.ports.values()}
            wanted |= {network.bridge for network in layout.externals()}
            for name in sorted(found.keys() - wanted, key=lambda name: name.startswith(BRIDGE_PREFIX)):
                LOG.info("%s belongs to nothing any more and is removed", name)
                links.remove(name)
            for identifier in self._dnsmasqs.keys() - used:
                self._dnsmasqs.pop(identifier).destroy()
            if not used:
                self._clear()
                return
            self._mend_externals(layout, found)
            self._check_tables(layout)
            for identifier in sorted(used):
                network = layout.networks[identifier]
                dnsmasq = self._dnsmasqs.get(identifier)
                bridge = found.get(network.bridge)
                if bridge is None:
                    LOG.warning("The bridge %s is gone; it is made again", network.bridge)
                    self._make_network(network, layout)
                elif not links.serves(bridge, network):
                    LOG.warning("The bridge %s was changed by somebody else; it is set up again", network.bridge)
                    self._make_network(network, layout)
                elif dnsmasq is None or dnsmasq.pid() is None:
                    LOG.warning("dnsmasq of the bridge %s does not run; it is started", network.bridge)
                    self._make_network(network, layout)
            for port in layout.ports.values():
                network = layout.networks[port.network_id]
                tap = found.get(port.tap)
                known = port.id in self._ports
                if tap is None and known:
                    LOG.warning(
                        "The tap %s of server %s was deleted; it is made again, and the server's network is back after "
                        "a hard reboot (openstack server reboot --hard)",
                        port.tap,
                        port.hostname,
                    )
                if tap is None or tap.master != network.bridge or not tap.up or not known:
                    links.make_tap(port, network, self.owner)
            self._readdress(layout)

    def clean(self) -> list[str]:
        """Remove whatever this service made on the host; the names of it."""
        with self._lock:
            self._settle_all()
            removed = [link.name for link in links.ours() if link.owner == self.owner]
            for name in removed:
                links.remove(name)
            for folder in self.run_path.glob("*"):
                removed.append(f"dnsmasq of {folder.name}")
                Dnsmasq(Network(folder.name, "0.0.0.0/0", "0.0.0.0"), folder).destroy()
            if self.table in tables():
                removed.append(f"nftables {self.table}")
            self._dnsmasqs.clear()
            self._clear()
            return removed

    def _settle_all(self) -> None:
        """Whatever is starting has started, or has left nothing."""
        for network_id in list(self._starting):
            try:
                self._settle(network_id)
            except NetworkError as error:
                LOG.error("%s", error)
                self._failures[network_id] = error  # whoever waits for it is told, too

    def _clear(self) -> None:
        if self.table in tables():
            self._apply(firewall.no_tables(self.table))
        self._text = None
        self._known.clear()
        shutil.rmtree(self.run_path, ignore_errors=True)

    def _make_network(self, network: Network, layout: Layout) -> None:
        self._begin_network(network, layout)()

    def _begin_network(self, network: Network, layout: Layout) -> Callable[[], str]:
        """Make it; its dnsmasq, which knows the ports, starts meanwhile, and has when what is returned does."""
        self._make_bridge(network)
        dnsmasq = self._dnsmasqs.setdefault(network.id, Dnsmasq(network, self.run_path / network.id, self._domain))
        try:
            dnsmasq.folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        except OSError as error:
            raise NetworkError(f"{error.filename}: {error.strerror}") from error
        starting = dnsmasq.begin(_of(layout, network))
        for port in _of(layout, network):
            if links.exists(port.tap):
                links.make_tap(port, network, self.owner)  # back into the bridge that is new
        return starting

    def _drop_gone(self, layout: Layout) -> None:
        """Networks that are no more leave now: their ranges may be another's."""
        bridges = {network.bridge for network in layout.networks.values()}
        for link in links.ours():
            if link.owner == self.owner and link.name.startswith(BRIDGE_PREFIX) and link.name not in bridges:
                links.remove(link.name)
        for folder in self.run_path.glob("*"):
            if folder.name not in layout.networks:
                self._dnsmasqs.pop(folder.name, Dnsmasq(Network(folder.name, "", ""), folder)).destroy()

    def _make_bridge(self, network: Network) -> None:
        """It must not take the host's own neighbours away."""
        if not links.exists(network.bridge) and (user := links.user_of(network.cidr)) is not None:
            raise NetworkError(f"The range {network.cidr} cannot be made here: {user} of this host is in it.")
        links.make_bridge(network, self.owner)

    def _make_externals(self, layout: Layout) -> None:
        """Where the host finds floating addresses; a bridge that nothing is connected to."""
        for network in layout.externals():
            if not links.exists(network.bridge):
                self._make_bridge(network)

    def _mend_externals(self, layout: Layout, found: dict[str, links.Link]) -> None:
        for network in layout.externals():
            bridge = found.get(network.bridge)
            if bridge is None or not links.serves(bridge, network):
                self._make_bridge(network)

    def _readdress(self, layout: Layout) -> None:
        """Addresses that ports have got or lost, and what dnsmasq says of networks, since both were told last."""
        for identifier, dnsmasq in self._dnsmasqs.items():
            network = layout.networks.get(identifier)
            if network is not None and dnsmasq.network != network:
                dnsmasq.network = network
                dnsmasq.start(_of(layout, network))
        for port in layout.ports.values():
            before = self._ports.get(port.id, port)
            if before.addresses == port.addresses or not links.exists(port.tap):
                continue
            network = layout.networks[port.network_id]
            gone = tuple(address for address in before.addresses if address not in port.addresses)
            links.forget_neighbours(replace(before, addresses=gone), network)
            links.make_tap(port, network, self.owner)
            if network.id in self._dnsmasqs:
                self._dnsmasqs[network.id].add(port, _of(layout, network))
        self._ports = dict(layout.ports)

    def _check_tables(self, layout: Layout) -> None:
        wanted = firewall.everything(self.table, layout)
        if self._text is not None and self._wanted == wanted:
            if self._text == self._listed():
                return
            LOG.warning("The rules of table %s were changed by somebody else; they are made again", self.table)
        self._replace_tables(layout)

    def _replace_tables(self, layout: Layout) -> None:
        self._wanted = firewall.everything(self.table, layout)
        self._apply(self._wanted)
        self._known = {*layout.networks, *layout.groups}
        self._text = self._listed()

    def _apply(self, script: str) -> str:
        if self._nft is None:
            self._nft = Nft()
        return self._nft.run(script)

    def replace_rules(self, layout: Layout) -> None:
        """Bring changed security groups, addresses and floating addresses into force, all at once."""
        with self._lock:
            if layout.ports:
                self._settle_all()
                self._make_externals(layout)
                self._replace_tables(layout)
                self._readdress(layout)

    def _listed(self) -> str:
        try:
            return "".join(self._apply(f"list table {family} {self.table}") for family in ("inet", "bridge"))
        except NetworkError:
            return ""


def _of(layout: Layout, network: Network) -> list[Port]:
    return [port for port in layout.ports.values() if port.network_id == network.id]


def tables() -> list[str]:
    """The names of every service's tables on this host; none for who may not see them."""
    if not _may_administrate():
        return []  # libnftables would write to standard error by itself
    return [name for name in nft.tables() if name.startswith(TABLE_PREFIX)]
