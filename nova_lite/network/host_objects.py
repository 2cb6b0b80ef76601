"""Bridges, taps, tables and dnsmasq processes for ``nova-lite host status`` and ``host clean``."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

from oslo_config import cfg

from nova_lite import conf as conf_module
from nova_lite import exceptions
from nova_lite.host_objects import HostObject
from nova_lite.network import links
from nova_lite.network.commands import NetworkError
from nova_lite.network.dnsmasq import Dnsmasq
from nova_lite.network.host import HostNetwork, tables
from nova_lite.network.layout import BRIDGE_PREFIX, METADATA_ADDRESS, METADATA_PORT, Network

_LISTEN = "0A"  # TCP_LISTEN, net/tcp_states.h


def network_of(conf: cfg.ConfigOpts) -> HostNetwork:
    domain = conf.api.dhcp_domain or ""
    return HostNetwork(conf_module.paths(conf).state.absolute(), conf_module.network_run_path(conf), domain)


def find(conf: cfg.ConfigOpts) -> list[HostObject]:
    """Nothing where the tools are missing: then nothing was made with them."""
    network = network_of(conf)
    found = []
    try:
        for link in links.ours():
            kind = "bridge" if link.name.startswith(BRIDGE_PREFIX) else "tap"
            found.append(HostObject(kind, link.name, link.owner, link.owner == network.owner))
        found += [HostObject("nftables", name, "", name == network.table) for name in tables()]
    except NetworkError:
        return found
    for folder in conf_module.network_run_path(conf).glob("*/*"):
        pid = _dnsmasq(folder).pid()
        detail = f"process {pid}" if pid is not None else "does not run"
        found.append(HostObject("dnsmasq", folder.name, detail, folder.parent == network.run_path))
    return found


def bridges_of(conf: cfg.ConfigOpts) -> list[str]:
    """The names of our own bridges; none where the tools are missing."""
    return [found.name for found in find(conf) if found.kind == "bridge" and found.mine]


def sockets_listening() -> int:
    """How many bridges of this host metadata is served on, whoever serves it (proc(5), /proc/net/tcp)."""
    address = int.from_bytes(socket.inet_aton(METADATA_ADDRESS), sys.byteorder)
    wanted = [f"{address:08X}:{METADATA_PORT:04X}", _LISTEN]
    rows = Path("/proc/net/tcp").read_text().splitlines()[1:]
    return sum([row.split()[1], row.split()[3]] == wanted for row in rows)


def clean(conf: cfg.ConfigOpts) -> list[str]:
    try:
        return network_of(conf).clean()
    except NetworkError as error:
        raise exceptions.Unavailable(str(error)) from error


def _dnsmasq(folder: Path) -> Dnsmasq:
    return Dnsmasq(Network(folder.name, "0.0.0.0/0", "0.0.0.0"), folder)
