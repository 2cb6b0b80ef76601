"""Network cards and security groups of servers that are there: given, taken away, looked at."""

from __future__ import annotations

from collections.abc import Iterable

from nova_lite import exceptions, objects
from nova_lite.compute import networks, states
from nova_lite.compute.accepting import AcceptingVerbs
from nova_lite.compute.refreshing import put_in_force
from nova_lite.context import RequestContext
from nova_lite.db import networks as db_networks
from nova_lite.db import security_groups as db_groups
from nova_lite.db.engine import Connection


class InterfaceVerbs(AcceptingVerbs):
    """/servers/{id}/os-interface and /servers/{id}/os-security-groups."""

    def ports(self, server_ids: Iterable[str]) -> dict[str, list[objects.Port]]:
        """The cards of each of these servers, in their order; only servers that have any."""
        with self.database.read() as connection:
            return db_networks.ports_of(connection, server_ids)

    def port_of(self, instance: objects.Instance, port_id: str) -> objects.Port:
        """A card of a server. NotFound when it is no card of this one."""
        with self.database.read() as connection:
            return _own(connection, instance, port_id)

    def attach_interface(
        self,
        context: RequestContext,
        instance: objects.Instance,
        *,
        network_id: str | None = None,
        port_id: str | None = None,
        fixed_ip: str | None = None,
        tag: str | None = None,
    ) -> objects.Port:
        """Give a server one more card, of a network (the default one when nothing is named) or a port.

        Invalid: both are named, an address without a network, no network or several to choose from, no address left.
        NotFound: no such network or port. Conflict: the server's state, or somebody else has the address or the port.
        """
        if network_id and port_id:
            raise exceptions.Invalid("Must not input both network_id and port_id")
        if fixed_ip and not network_id:
            raise exceptions.Invalid("Must input network_id when request IP address")
        with self.database.write() as connection:
            current = self._lock_row(connection, instance)
            states.check_lock(current, bool(context.is_admin))
            states.check(states.ATTACH_INTERFACE, current)
            if network_id or port_id:
                asked = {"uuid": network_id, "port": port_id, "fixed_ip": fixed_ip, "tag": tag}
                wish = networks.wish(connection, context, networks.usable(connection, context), asked)
            else:
                wish = _default(connection, context, tag)
            groups = networks.groups_of(self.database, connection, current.project_id, None)
            try:
                made = networks.give(self.database, connection, current, wish, groups, plugged=False)
            except networks.NoMoreFixedIps as error:
                raise exceptions.Invalid(str(error)) from error
            self._journal(connection, context, current, states.ATTACH_INTERFACE, {"port_id": made})
            port = _own(connection, current, made)
        self._poke(current.host)
        return port

    def detach_interface(self, context: RequestContext, instance: objects.Instance, port_id: str) -> None:
        """Take a card from a server. NotFound when it is none of its; Conflict for the server's state."""
        with self.database.write() as connection:
            current = self._lock_row(connection, instance)
            states.check_lock(current, bool(context.is_admin))
            states.check(states.DETACH_INTERFACE, current)
            _own(connection, current, port_id)
            self._journal(connection, context, current, states.DETACH_INTERFACE, {"port_id": port_id})
        self._poke(current.host)

    def groups_of_server(self, instance: objects.Instance) -> list[objects.SecurityGroup]:
        """The groups that the server's cards are in, by name, with their rules."""
        with self.database.read() as connection:
            ports = db_networks.ports_of(connection, [instance.uuid]).get(instance.uuid, [])
            wanted = {group for port in ports for group in port.security_groups}
            return [group for group in db_groups.list_(connection) if group.id in wanted]

    def groups_named_in(self, groups: Iterable[objects.SecurityGroup]) -> list[objects.SecurityGroup]:
        """The groups that rules of these let in or out."""
        wanted = {rule.remote_group_id for group in groups for rule in group.rules}
        with self.database.read() as connection:
            return [group for group in db_groups.list_(connection) if group.id in wanted]

    def add_security_group(self, context: RequestContext, instance: objects.Instance, name: str) -> None:
        """Put a server's cards into a group of its project, by name or id. NotFound: no such group, or no cards."""
        with self.database.write() as connection:
            current = self._lock_row(connection, instance)
            group, ports = _group_and_ports(connection, current, name)
            db_groups.bind(connection, group.id, [port.id for port in ports if group.id not in port.security_groups])
        put_in_force(self.agent, "The security group is changed")

    def remove_security_group(self, context: RequestContext, instance: objects.Instance, name: str) -> None:
        """Take a server's cards out of a group. NotFound: no such group, or none of the cards is in it."""
        with self.database.write() as connection:
            current = self._lock_row(connection, instance)
            group, ports = _group_and_ports(connection, current, name)
            members = [port.id for port in ports if group.id in port.security_groups]
            if not members:
                raise exceptions.NotFound(
                    f"Security group {name[:255]} not associated with the instance {current.uuid}"
                )
            db_groups.unbind(connection, group.id, members)
        put_in_force(self.agent, "The security group is changed")


def _own(connection: Connection, instance: objects.Instance, port_id: str) -> objects.Port:
    for port in db_networks.ports_of(connection, [instance.uuid]).get(instance.uuid, []):
        if port.id == port_id:
            return port
    raise exceptions.NotFound(f"Instance {instance.uuid} does not have a port with id {port_id[:64]}")


def _default(connection: Connection, context: RequestContext, tag: str | None) -> networks.Wish:
    try:
        found = networks.wishes(connection, context, "auto", 1)
    except exceptions.Conflict as error:
        raise exceptions.Invalid(str(error)) from error
    if not found:
        raise exceptions.Invalid("No specific network was requested and none are available.")
    return networks.Wish(found[0].network, tag=tag)


def _group_and_ports(
    connection: Connection, instance: objects.Instance, name: str
) -> tuple[objects.SecurityGroup, list[objects.Port]]:
    group = db_groups.find(connection, instance.project_id, name)
    if group is None:
        raise exceptions.NotFound(f"Security group {name[:255]} not found for project {instance.project_id}.")
    ports = db_networks.ports_of(connection, [instance.uuid]).get(instance.uuid, [])
    if not ports:
        raise exceptions.NotFound(f"Instance {instance.uuid} has no network card that could be in a security group.")
    return group, ports
