"""``nova-lite network``: the networks that servers can be on."""

from __future__ import annotations

import json

import click

from nova_lite.cli import table
from nova_lite.cli.database import open_database
from nova_lite.cli.main import Settings, pass_settings
from nova_lite.cli.token import identity
from nova_lite.compute import networks
from nova_lite.db import networks as db_networks


@click.group()
def network() -> None:
    """Create, list and delete networks of servers.

    A network is an IPv4 range of this host's own: a bridge with the host as gateway, DHCP and DNS.
    """


@network.command("create")
@click.argument("name")
@click.option("--cidr", required=True, help="Its range, 10.1.0.0/24; no other network's may overlap it.")
@click.option("--gateway", help="The host's address in it.  [default: the first]")
@click.option("--pool", metavar="FIRST-LAST", help="The addresses to allot.  [default: all but the gateway's]")
@click.option("--dns", "dns_servers", multiple=True, help="A DNS server to tell guests; may be repeated.")
@click.option("--default", "is_default", is_flag=True, help="What servers get that name no network.")
@click.option("--external", is_flag=True, help="Floating IPs come from it; no server is on it.")
@click.option("--project", help="Name or id of the one project that may use it.  [default: every one]")
@pass_settings
def create(
    settings: Settings,
    name: str,
    cidr: str,
    gateway: str | None,
    pool: str | None,
    dns_servers: tuple[str, ...],
    is_default: bool,
    external: bool,
    project: str | None,
) -> None:
    """Make the network NAME and print its id. On the host it appears with its first server."""
    first, dash, last = (pool or "").partition("-")
    if pool and not dash:
        raise click.BadParameter(f"{pool!r} is not FIRST-LAST", param_hint="--pool")
    with open_database(settings, create=True) as database:
        made = networks.create_network(
            database,
            settings.conf.host,
            name,
            cidr,
            gateway=gateway,
            pool=(first.strip(), last.strip()) if pool else None,
            dns_servers=dns_servers,
            project_id=identity("project", project) if project else None,
            is_default=is_default,
            external=external,
        )
    click.echo(made.id)


@network.command("list")
@table.json_option
@pass_settings
def list_networks(settings: Settings, as_json: bool) -> None:
    """List the networks."""
    with open_database(settings) as database, database.read() as connection:
        rows = [vars(found) for found in db_networks.list_(connection)]
    columns = ["id", "name", "cidr", "gateway_ip", "is_default", "external", "project_id"]
    table.show(rows, columns, as_json, "No networks. `nova-lite network create NAME --cidr RANGE` adds one.")


@network.command("show")
@click.argument("name")
@pass_settings
def show(settings: Settings, name: str) -> None:
    """Show the network NAME, a name or an id, as JSON."""
    with open_database(settings) as database, database.read() as connection:
        found = networks.find_network(connection, name)
        facts = vars(found) | {"ports": db_networks.count_ports(connection, found.id)}
    click.echo(json.dumps(facts, indent=2, default=str))


@network.command("delete")
@click.argument("name")
@pass_settings
def delete(settings: Settings, name: str) -> None:
    """Delete the network NAME, a name or an id, that no server uses."""
    with open_database(settings) as database:
        gone = networks.delete_network(database, name)
    click.echo(f"Deleted {gone.id}.")
