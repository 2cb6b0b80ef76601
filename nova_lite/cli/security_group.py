"""``nova-lite security-group``: what may reach servers, and what they may reach; in force at once."""

from __future__ import annotations

import click

from nova_lite import exceptions, objects
from nova_lite.cli import table
from nova_lite.cli.database import open_database
from nova_lite.cli.main import Settings, pass_settings
from nova_lite.cli.token import identity
from nova_lite.compute import group_rules, networks
from nova_lite.compute.node_client import NodeClient, NodeError, NodeUnavailable
from nova_lite.db import security_groups as db_groups
from nova_lite.db.engine import Connection, Database

_project_option = click.option(
    "--project", default="admin", show_default=True, help="Name or id of the project whose groups are meant."
)


@click.group("security-group")
def security_group() -> None:
    """Say what may reach servers, and what they may reach.

    A server without further words is in its project's group `default`, whose members reach each other and everything
    outside; nothing else reaches them. `nova-lite security-group allow default --protocol tcp --port 22` lets ssh in.
    """


@security_group.command("list")
@table.json_option
@pass_settings
def list_groups(settings: Settings, as_json: bool) -> None:
    """List the groups of all projects with their rules."""
    with open_database(settings) as database, database.read() as connection:
        groups = db_groups.list_(connection)
    empty = objects.SecurityGroupRule("", "", "")
    rows = [
        {"group": group.name, "project_id": group.project_id, "group_id": group.id}
        | {name: value for name, value in vars(rule).items() if name != "security_group_id"}
        for group in groups
        for rule in group.rules or [empty]
    ]
    columns = ["group", "project_id", "id", "direction", "protocol", "port_range_min", "port_range_max"]
    columns += ["remote_ip_prefix", "remote_group_id", "group_id"]
    table.show(rows, columns, as_json, "No security groups yet: a project's first server with a network makes one.")


@security_group.command("create")
@click.argument("name")
@click.option("--description", default="", help="What it is for.")
@_project_option
@pass_settings
def create(settings: Settings, name: str, description: str, project: str) -> None:
    """Make the group NAME, that lets everything out and nothing in, and print its id."""
    with open_database(settings, create=True) as database:
        click.echo(group_rules.add_group(database, identity("project", project), name, description).id)


@security_group.command("delete")
@click.argument("name")
@_project_option
@pass_settings
def delete(settings: Settings, name: str, project: str) -> None:
    """Delete the group NAME, a name or an id, that no server has, with rules of others that name it."""
    with open_database(settings) as database, database.write() as connection:
        group = _find(database, connection, identity("project", project), name, make_default=False)
        if db_groups.is_used(connection, group.id):
            raise exceptions.Conflict(f"Security Group {group.name} is in use.")
        db_groups.delete(connection, group.id)
    _put_in_force(settings)
    click.echo(f"Deleted {group.id}.")


@security_group.command("allow")
@click.argument("name")
@click.option(
    "--direction",
    type=click.Choice(["ingress", "egress"]),
    default="ingress",
    show_default=True,
    help="Into servers, or out of them.",
)
@click.option("--protocol", help="tcp, udp, icmp or a number.  [default: any]")
@click.option("--port", "port_range", help="22 or 8000-8080; for icmp TYPE or TYPE-CODE.  [default: all]")
@click.option("--remote-ip", metavar="CIDR", help="Only from (or to) these addresses.")
@click.option("--remote-group", metavar="GROUP", help="Only from (or to) members of this group of the project.")
@_project_option
@pass_settings
def allow(
    settings: Settings,
    name: str,
    direction: str,
    protocol: str | None,
    port_range: str | None,
    remote_ip: str | None,
    remote_group: str | None,
    project: str,
) -> None:
    """Add a rule to the group NAME, a name or an id, and print the rule's id."""
    project_id = identity("project", project)
    with open_database(settings, create=True) as database, database.write() as connection:
        group = _find(database, connection, project_id, name)
        remote = _find(database, connection, project_id, remote_group).id if remote_group else None
        rule = group_rules.rule(group.id, direction, protocol, port_range, remote_ip, remote)
        db_groups.insert_rule(connection, rule)
    _put_in_force(settings)
    click.echo(rule.id)


@security_group.command("forbid")
@click.argument("rule_id")
@pass_settings
def forbid(settings: Settings, rule_id: str) -> None:
    """Take the rule RULE_ID away. Connections that it let through go on until they end."""
    with open_database(settings) as database, database.write() as connection:
        if not db_groups.delete_rule(connection, rule_id):
            raise exceptions.NotFound(f"Security group rule {rule_id} could not be found.")
    _put_in_force(settings)
    click.echo(f"Removed {rule_id}.")


def _find(
    database: Database, connection: Connection, project_id: str, name: str, make_default: bool = True
) -> objects.SecurityGroup:
    if name == db_groups.DEFAULT and make_default:
        networks.groups_of(database, connection, project_id, None)
    group = db_groups.find(connection, project_id, name)
    if group is None:
        raise exceptions.NotFound(f"Security group {name} not found for project {project_id}.")
    return group


def _put_in_force(settings: Settings) -> None:
    """Tell the agent. One that does not run reads the rules when it starts."""
    agent = NodeClient(settings.paths.agent_socket)
    try:
        agent.call("Host.refreshNetworks", {})
    except NodeUnavailable:
        click.echo("No agent runs: the rules are in force when it starts.", err=True)
    except NodeError as error:
        raise exceptions.Unavailable(f"The rules are written, but not in force: {error}") from error
    finally:
        agent.close()
