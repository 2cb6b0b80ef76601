"""``nova-lite port``: network cards that exist before and after the servers that have them."""

from __future__ import annotations

import click

from nova_lite import exceptions
from nova_lite.cli import table
from nova_lite.cli.database import open_database
from nova_lite.cli.main import Settings, pass_settings
from nova_lite.cli.token import identity
from nova_lite.compute import networks
from nova_lite.db import networks as db_networks


@click.group()
def port() -> None:
    """Make, list and delete ports: a MAC and an address that a server can be given, and that outlive it.

    \b
    nova-lite port create private --fixed-ip 10.77.0.50      # prints its id
    openstack server create --nic port-id=PORT …
    """


@port.command("create")
@click.argument("network")
@click.option("--fixed-ip", metavar="ADDRESS", help="Its address.  [default: the next free one]")
@click.option("--security-group", "groups", multiple=True, help="Name or id; may be repeated.  [default: default]")
@click.option("--project", default="admin", show_default=True, help="Name or id of the project whose it is.")
@pass_settings
def create(settings: Settings, network: str, fixed_ip: str | None, groups: tuple[str, ...], project: str) -> None:
    """Make a port on NETWORK, a name or an id, and print its id."""
    project_id = identity("project", project)
    with open_database(settings) as database, database.write() as connection:
        found = networks.find_network(connection, network)
        if not found.shared and found.project_id != project_id:
            raise exceptions.NotFound(f"Network {network} is not for the project {project}.")
        address = networks.free_address(connection, found, fixed_ip) if fixed_ip else None
        group_ids = networks.groups_of(database, connection, project_id, groups)
        try:
            made = networks.make_port(database, connection, found, address, project_id, group_ids, preserve=True)
        except networks.NoMoreFixedIps as error:
            raise exceptions.Conflict(str(error)) from error
    click.echo(made)


@port.command("list")
@table.json_option
@pass_settings
def list_(settings: Settings, as_json: bool) -> None:
    """List the ports of all projects, those of servers too."""
    with open_database(settings) as database, database.read() as connection:
        found = db_networks.all_ports(connection)
    rows = [
        {
            "id": one.id,
            "network": one.network_name,
            "mac_address": one.mac_address,
            "addresses": ",".join(one.fixed_ips),
            "security_groups": ",".join(one.security_groups.values()),
            "server": one.device_id,
            "project_id": one.project_id,
        }
        for one in found
    ]
    columns = ["id", "network", "mac_address", "addresses", "security_groups", "server", "project_id"]
    table.show(
        rows, columns, as_json, "No ports yet: servers' cards are ports, and `nova-lite port create` makes some."
    )


@port.command("delete")
@click.argument("port_id")
@pass_settings
def delete(settings: Settings, port_id: str) -> None:
    """Delete the port PORT_ID, that no server has, and give its address back."""
    with open_database(settings) as database, database.write() as connection:
        found = db_networks.get_port(connection, port_id)
        if found is None:
            raise exceptions.NotFound(f"Port id {port_id} could not be found.")
        if found.device_id is not None:
            raise exceptions.Conflict(f"Port {port_id} is a card of the server {found.device_id}: detach it there.")
        db_networks.delete_port(connection, port_id)
    click.echo(f"Deleted {port_id}.")
