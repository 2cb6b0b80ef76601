"""Addresses of servers, as microversions up to 2.43 give and take them: fixed ones of their cards, floating ones."""

from __future__ import annotations

from nova_lite import exceptions, objects
from nova_lite.compute import states
from nova_lite.compute.floating_ip_verbs import FloatingIPVerbs
from nova_lite.compute.network_errors import IpAddressGenerationFailure
from nova_lite.compute.port_verbs import PortVerbs, readdress
from nova_lite.context import RequestContext
from nova_lite.db import networks as db_networks
from nova_lite.db.engine import Connection


class ServerAddressVerbs(PortVerbs, FloatingIPVerbs):
    """The actions addFixedIp, removeFixedIp, addFloatingIp and removeFloatingIp."""

    def add_fixed_ip(self, context: RequestContext, instance: objects.Instance, network_id: str) -> None:
        """Give the server's card on a network one more address; its guest has to be told. NotFound: it has none there.
        Invalid: no address is left. Conflict: the server is locked."""
        states.check_lock(instance, bool(context.is_admin))
        with self.database.write() as connection:
            self.database.lock(connection, f"network:{network_id}")
            port = next((one for one in _cards(connection, instance) if one.network_id == network_id), None)
            if port is None:
                raise exceptions.NotFound(f"Network could not be found for instance {instance.uuid}.")
            network = db_networks.get(connection, network_id)
            assert network is not None  # it has a port
            wanted = [{"ip_address": address} for address in port.fixed_ips]
            try:
                readdress(connection, port, [*wanted, {"subnet_id": network.subnet_id}])
            except IpAddressGenerationFailure as error:
                message = f"No fixed IP addresses available for network: {network_id}"
                raise exceptions.Invalid(message) from error
        self._put_in_force("The address is given")

    def remove_fixed_ip(self, context: RequestContext, instance: objects.Instance, address: str) -> None:
        """Take an address from a card of a server. Invalid: it has no such address, or no other. Conflict: the
        server is locked."""
        states.check_lock(instance, bool(context.is_admin))
        with self.database.write() as connection:
            port = next((one for one in _cards(connection, instance) if address in one.fixed_ips), None)
            if port is None:
                raise exceptions.Invalid(f"Instance {instance.uuid} does not have fixed IP '{address}'.")
            self.database.lock(connection, f"network:{port.network_id}")
            readdress(connection, port, [{"ip_address": other} for other in port.fixed_ips if other != address])
        self._put_in_force("The address is taken away")

    def add_floating_ip(
        self, context: RequestContext, instance: objects.Instance, address: str, fixed_address: str | None
    ) -> None:
        """Lead a floating IP of the project to a server, wherever it led before.

        Invalid: the server has no such fixed address, or none at all. NotFound: no such floating IP.
        """
        with self.database.read() as connection:
            cards = _cards(connection, instance)
        if not cards:
            raise exceptions.Invalid("Instance network is not ready yet")
        fixed = {one: port for port in cards for one in port.fixed_ips}
        if not fixed:
            raise exceptions.Invalid("No fixed IPs associated to instance")
        if fixed_address is not None and fixed_address not in fixed:
            raise exceptions.Invalid("Specified fixed address not assigned to instance")
        found = self.floating_ip_of_address(context, address)
        if found is None:
            raise exceptions.NotFound("floating IP not found")
        target = fixed_address or next(iter(fixed))
        try:
            self.update_floating_ip(context, found, {"port_id": fixed[target].id, "fixed_ip": target})
        except exceptions.Conflict as error:
            raise exceptions.Invalid(str(error)) from error

    def remove_floating_ip(self, context: RequestContext, instance: objects.Instance, address: str) -> None:
        """NotFound: no such floating IP. Conflict: it leads to no card of this server."""
        found = self.floating_ip_of_address(context, address)
        if found is None:
            raise exceptions.NotFound(f"Floating IP not found for address {address}.")
        if found.device_id != instance.uuid:
            message = f"Floating IP {address} is not associated with instance {instance.uuid}."
            raise exceptions.Conflict(message)
        self.update_floating_ip(context, found, {"port_id": None})

    def floating_ip_of_address(self, context: RequestContext, address: str) -> objects.FloatingIP | None:
        """The floating IP of that address, of the caller's project unless an administrator asks."""
        return next((one for one in self.list_floating_ips(context) if one.address == address), None)


def _cards(connection: Connection, instance: objects.Instance) -> list[objects.Port]:
    return db_networks.ports_of(connection, [instance.uuid]).get(instance.uuid, [])
