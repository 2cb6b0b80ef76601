"""The agent's part in networks: what the database says of ports becomes taps, rules and dnsmasq on this host."""

from __future__ import annotations

import ipaddress
import logging
import threading
from dataclasses import replace

import sqlalchemy as sa
from oslo_config import cfg

from nova_lite import exceptions, objects
from nova_lite.compute import networks
from nova_lite.db import networks as db_networks
from nova_lite.db import security_groups as db_groups
from nova_lite.db.engine import Connection, Database
from nova_lite.db.tables import instances
from nova_lite.hv.driver import DriverError, NicSpec
from nova_lite.network import links
from nova_lite.network.commands import NetworkError
from nova_lite.network.host import HostNetwork, lacking
from nova_lite.network.host_objects import network_of
from nova_lite.network.layout import Layout, Network, Port, Rule, tap_name

LOG = logging.getLogger(__name__)


class Wiring:
    """The networks of servers on this host. With the fake driver there is nothing to wire: addresses exist, no taps."""

    def __init__(self, conf: cfg.ConfigOpts, database: Database) -> None:
        self._conf, self._database, self._host = conf, database, conf.host
        self.lacking: str | None = None
        self._network: HostNetwork | None = None
        # Ports whose taps we took away and whose rows are still there: a check must not make them again.
        self._leaving: set[str] = set()
        self._lock = threading.Lock()
        if not conf.network.enabled:
            self.lacking = "[network] enabled is false"
        elif conf.compute.driver != "fake":
            self.lacking = lacking()
            if self.lacking is None:
                self._network = network_of(conf)

    def start(self) -> None:
        """Make the default network of a new database, and the host what it should be; say so if it cannot be."""
        if self.lacking is not None:
            LOG.warning("Servers get no networks (networks: none): %s", self.lacking)
            return
        try:
            self._seed()
            if self._network is not None:
                self._tell_of_forwarding()
        except (NetworkError, exceptions.NovaLiteError) as error:
            LOG.error("The default network cannot be made: %s", error)
        self.check()

    def check(self) -> None:
        """Mend what differs between database and host; never raises, the next check may do better."""
        if self._network is None:
            return
        try:
            with self._lock:
                layout = self._layout()
                ports = {port.id: port for port in layout.ports.values() if port.id not in self._leaving}
                self._leaving &= layout.ports.keys()
                self._network.check(replace(layout, ports=ports))
        except (NetworkError, exceptions.Unavailable) as error:
            LOG.error("The host's networks cannot be mended: %s", error)

    def rules_changed(self) -> None:
        """Bring security groups, addresses and floating IPs into force as they are now. Raises NetworkError."""
        if self._network is not None:
            self._network.replace_rules(self._layout())

    def close(self) -> None:
        """Leave running servers their networks; networks that no server uses leave the host."""
        self.check()

    def connect(self, instance: objects.Instance, wait: bool = True) -> tuple[NicSpec, ...]:
        """A server's cards, each with its tap ready. Raises DriverError when the host cannot do it.

        :param wait: until DHCP serves them; else ``started`` does.
        """
        with self._database.read() as connection:
            ports = db_networks.ports_of(connection, [instance.uuid]).get(instance.uuid, [])
        if not ports or (self._network is None and self._conf.compute.driver == "fake"):
            return ()
        if self._network is None:
            raise DriverError(f"This host cannot set up networks: {self.lacking}.")
        layout = self._layout()
        own = [layout.ports[port.id] for port in ports if port.id in layout.ports]
        self._leaving.difference_update(port.id for port in own)
        try:
            self._network.add(layout, own, wait)
        except NetworkError as error:
            raise DriverError(f"The server's network cannot be set up: {error}") from error
        return tuple(NicSpec(port.tap, port.tap, port.mac) for port in own)

    def started(self, instance: objects.Instance) -> None:
        """A server's VM was started with what ``connect`` gave: from now on it has all its cards.

        Raises DriverError when nothing serves DHCP to them.
        """
        with self._database.read() as connection:
            ports = db_networks.ports_of(connection, [instance.uuid]).get(instance.uuid, [])
        if self._network is not None:
            try:
                self._network.settle({port.network_id for port in ports})
            except NetworkError as error:
                raise DriverError(f"The server's network cannot be set up: {error}") from error
        if not all(port.plugged for port in ports):
            with self._database.write() as connection:
                db_networks.mark_plugged(connection, instance.uuid)

    def nic(self, instance: objects.Instance, port_id: str) -> NicSpec | None:
        """One card of a server, whose tap ``connect`` has made; None when it has no such card."""
        with self._database.read() as connection:
            port = db_networks.get_port(connection, port_id)
        if port is None or port.device_id != instance.uuid:
            return None
        tap = tap_name(port.id)
        return NicSpec(tap, tap, port.mac_address)

    def plugged(self, port_id: str) -> None:
        """A VM that runs has this card."""
        with self._database.write() as connection:
            db_networks.update_port(connection, port_id, {"plugged": True})

    def release(self, instance: objects.Instance, port_id: str) -> None:
        """Take one card from a server, first its tap, then its row; nothing to do when it has no such card."""
        self.disconnect(instance, port_id)
        with self._database.write() as connection:
            db_networks.release(connection, instance.uuid, port_id)

    def disconnect(self, instance: objects.Instance, port_id: str | None = None) -> None:
        """Take a server's taps away, or that of one port. Raises DriverError."""
        if self._network is None:
            return
        layout = self._layout()
        with self._database.read() as connection:
            ports = db_networks.ports_of(connection, [instance.uuid]).get(instance.uuid, [])
        going = [port.id for port in ports if port.id in layout.ports and port_id in (None, port.id)]
        try:
            with self._lock:
                self._leaving.update(going)
                self._network.remove(layout, [layout.ports[identifier] for identifier in going])
        except NetworkError as error:
            raise DriverError(f"The server's network cannot be taken away: {error}") from error

    def _seed(self) -> None:
        with self._database.read() as connection:
            if db_networks.list_(connection) or connection.execute(sa.select(instances.c.id).limit(1)).first():
                return  # somebody's choice, be it none
        taken = [ipaddress.IPv4Network(r, strict=False) for r in (links.ranges_in_use() if self._network else [])]
        configured = self._conf.network.default_cidr
        for cidr in [configured] if configured else networks.DEFAULT_RANGES:
            if configured or not any(ipaddress.IPv4Network(cidr).overlaps(other) for other in taken):
                network = networks.create_network(
                    self._database, self._host, networks.DEFAULT_NETWORK, cidr, is_default=True
                )
                LOG.info("Made the default network %s, %s", network.name, network.cidr)
                break
        else:
            LOG.warning("No default network: every range for one is in use here; `nova-lite network create` makes one")
        if cidr := self._conf.network.floating_range:
            if any(ipaddress.IPv4Network(cidr).overlaps(other) for other in taken):
                LOG.warning("No floating IPs: [network] floating_range %s is in use here", cidr)
                return
            networks.create_network(self._database, self._host, networks.EXTERNAL_NETWORK, cidr, external=True)
            LOG.info("Made the external network %s for floating IPs, %s", networks.EXTERNAL_NETWORK, cidr)

    def _tell_of_forwarding(self) -> None:
        for name in links.uplinks_without_forwarding():
            LOG.warning(
                "Servers reach each other and this host, not the outside: the host does not forward from %s "
                "(sysctl -w net.ipv4.conf.%s.forwarding=1 changes that)",
                name,
                name,
            )

    def _layout(self) -> Layout:
        with self._database.read() as connection:
            return replace(layout_of(connection, self._host), routed=self._conf.network.floating_routed)


def layout_of(connection: Connection, host: str) -> Layout:
    """What is wanted on a host, from the rows."""
    rows = connection.execute(
        sa.select(instances.c.uuid, instances.c.hostname).where(
            instances.c.host == host, instances.c.deleted.is_(False)
        )
    )
    hostnames = {row.uuid: row.hostname.partition(".")[0] for row in rows}
    known = {
        network.id: Network(
            network.id,
            network.cidr,
            network.gateway_ip,
            tuple(network.dns_servers),
            network.enable_dhcp,
            network.external,
        )
        for network in db_networks.list_(connection)
        if network.host == host
    }
    ports = {
        port.id: Port(
            port.id,
            port.network_id,
            port.mac_address,
            tuple(port.fixed_ips),
            tuple(port.security_groups),
            hostnames[server_id],
            tuple((floating, fixed) for fixed, leading in port.floating_ips.items() for floating in leading),
        )
        for server_id, own in db_networks.ports_of(connection, hostnames).items()
        for port in own
        if port.network_id in known
    }
    rules: dict[str, list[Rule]] = {}
    for rule in db_groups.rules(connection):
        if rule.ethertype != "IPv4":
            continue  # guests have nothing else
        rules.setdefault(rule.security_group_id, []).append(
            Rule(
                rule.direction,
                rule.protocol,
                rule.port_range_min,
                rule.port_range_max,
                str(ipaddress.IPv4Network(rule.remote_ip_prefix, strict=False)) if rule.remote_ip_prefix else None,
                rule.remote_group_id,
            )
        )
    needed = {group for port in ports.values() for group in port.groups}
    needed |= {rule.remote_group for group in needed for rule in rules.get(group, []) if rule.remote_group}
    return Layout(known, ports, {group: tuple(rules.get(group, [])) for group in sorted(needed)})
