"""``nova-lite host``: what the service has made on this host outside of its state folder."""

from __future__ import annotations

import click

from nova_lite import exceptions, host_objects
from nova_lite.cli import table
from nova_lite.cli.main import Settings, pass_settings
from nova_lite.cli.status import ping_agent
from nova_lite.cli.vms import running_vms
from nova_lite.network import links
from nova_lite.network.host import lacking
from nova_lite.network.host_objects import bridges_of, sockets_listening


@click.group()
def host() -> None:
    """See and remove what the service made on this host outside of its state folder."""


@host.command("status")
@table.json_option
@pass_settings
def status(settings: Settings, as_json: bool) -> None:
    """List bridges, taps, nftables tables and dnsmasq processes, and say whether servers can have networks."""
    if not as_json:
        reason = lacking() if settings.conf.network.enabled else "[network] enabled is false"
        click.echo(f"networks: none, {reason}" if reason else "networks: yes")
        click.echo(f"metadata: {_metadata(settings, reason)}")
        for name in [] if reason else links.uplinks_without_forwarding():
            click.echo(
                f"outside: not reached by servers, as this host does not forward from {name}."
                f" Change that with: sysctl -w net.ipv4.conf.{name}.forwarding=1"
            )
    rows = [vars(found) for found in host_objects.find(settings.conf)]
    table.show(rows, ["kind", "name", "detail", "mine"], as_json, "Nothing of ours is on this host.")


def _metadata(settings: Settings, reason: str | None) -> str:
    """Whether servers can ask for their metadata, in words."""
    if reason or not settings.conf.network.metadata_service:
        return "none, servers have no networks" if reason else "none, [network] metadata_service is false"
    bridges, listening = len(bridges_of(settings.conf)), sockets_listening()
    if not bridges:
        return "no server is on a network now"
    if not listening:
        return f"not served to {bridges} networks: is the service running?"
    return f"served on {listening} networks of this host"


@host.command("clean")
@pass_settings
def clean(settings: Settings) -> None:
    """Remove all that `host status` lists as mine. Refused while the agent or a server runs that needs it."""
    if ping_agent(settings.paths) is not None:
        raise exceptions.Conflict("The agent runs and would make it all again: stop the service first.")
    if running := len(running_vms(settings.paths)):
        raise exceptions.Conflict(f"{running} VMs run on it: `nova-lite vm stop --all` ends them.")
    removed = host_objects.clean(settings.conf)
    for name in removed:
        click.echo(f"Removed {name}.")
    if not removed:
        click.echo("Nothing of ours is on this host.")
