"""``nova-lite console``: a server's serial console in this terminal, without the API."""

from __future__ import annotations

import sys

import click
from click.shell_completion import CompletionItem

from nova_lite import exceptions
from nova_lite.cli import terminal
from nova_lite.cli.database import open_database
from nova_lite.cli.main import Settings, pass_settings
from nova_lite.cli.status import serving_process
from nova_lite.cli.vms import find_vm, server_names
from nova_lite.compute import consoles
from nova_lite.hv.vmm import unix_socket

_CONNECT_WITHIN = 5.0  # seconds


class _EscapeKey(click.ParamType):
    name = "key"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> bytes | None:
        try:
            return terminal.escape_key(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


def _complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Names of the servers of this host."""
    root = ctx.find_root()
    settings = Settings(tuple(root.params.get("config_files") or ()), root.params.get("state_path"))
    return [CompletionItem(name) for name in server_names(settings).values() if name.startswith(incomplete)]


@click.command()
@click.argument("server", shell_complete=_complete)
@click.option(
    "--escape", type=_EscapeKey(), default="^]", show_default=True, help="Key that commands begin with, or none."
)
@click.option("--read-only", is_flag=True, help="Only show what the guest writes, until it ends or Ctrl-C.")
@click.option(
    "--linger",
    type=click.FloatRange(min=0),
    default=1.0,
    show_default=True,
    help="With piped input: seconds of silence after its end until this command ends.",
)
@click.option("--url", is_flag=True, help="Print the address of a page with the console, for a browser, instead.")
@pass_settings
def console(settings: Settings, server: str, escape: bytes | None, read_only: bool, linger: float, url: bool) -> None:
    """Talk to SERVER on its serial console, from the machine that it runs on.

    SERVER is a name, a uuid or the beginning of one. The last lines are shown first; several consoles on one server
    see the same. Keys go to the guest as they are. The escape key is for this command: with q it leaves, with s it
    tells the guest's shell how large the window is, with ? it lists the rest.

    \b
    nova-lite console one
    nova-lite console --escape ctrl-a one
    echo uptime | nova-lite console one          # piped input: goes on until the guest is silent
    nova-lite console --read-only one | tee log
    nova-lite console --url one                  # good for [consoleauth] token_ttl seconds, as often as one likes
    """
    found = find_vm(settings, server)
    if url:
        _print_url(settings, found.uuid)
        return
    if found.pid is None:
        raise exceptions.Conflict(
            f"Server {server} does not run, so nothing is on its console (`nova-lite vm console {server}` prints what"
            f" was; `openstack server start {server}` starts it)."
        )
    try:
        line = unix_socket.connect(settings.paths.serial_socket(found.uuid), _CONNECT_WITHIN)
    except FileNotFoundError as error:
        raise exceptions.Unavailable(
            f"Server {server} has no console socket ({found.state}): a VM that was started before there were consoles"
            " gets one by a hard reboot."
        ) from error
    except OSError as error:
        raise exceptions.Unavailable(f"The console of {server} does not answer: {error.strerror or error}.") from error
    with line:
        click.echo(f"Connected to server {server} ({found.uuid}).", err=True)
        if escape is not None and not read_only and sys.stdin.isatty():
            click.echo(terminal.help_line(escape), err=True)
        ended_by = terminal.Session(line, escape, read_only, linger).run()
    if ended_by == "ended":
        click.echo(f"\nThe console of {server} was closed: {_why(settings, found.uuid)}.", err=True)
    elif ended_by == "quit":
        click.echo("\nConsole left; the server goes on.", err=True)
    elif ended_by != "input over":
        click.echo(f"\nEnded by {ended_by}; the server goes on.", err=True)


def _print_url(settings: Settings, uuid: str) -> None:
    serving = serving_process(settings.paths)
    if serving is None:
        raise exceptions.Unavailable("No `nova-lite serve` runs here, so nobody serves the page.")
    if serving["consoles"] is None:
        raise exceptions.Conflict("[serial_console] enabled is false, so nobody serves the page.")
    with open_database(settings) as database:
        made = consoles.make(
            database,
            serving["consoles"],
            uuid,
            settings.conf.host,
            consoles.SERIAL_PAGE,
            settings.conf.consoleauth.token_ttl,
        )
    click.echo(made.url)
    click.echo(f"Whoever has this address may use the console until {made.expires_at:%H:%M:%S} UTC.", err=True)


def _why(settings: Settings, uuid: str) -> str:
    try:
        found = find_vm(settings, uuid)
    except exceptions.NotFound:
        return "the server was deleted"
    if found.pid is None:
        return "the VM has ended"
    detail = f" ({found.detail})" if found.detail else ""
    return f"the VM is {found.state.lower()}{detail}"
