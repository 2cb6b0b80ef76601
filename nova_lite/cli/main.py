"""The ``nova-lite`` command: options that all subcommands share, and the table of subcommands."""

from __future__ import annotations

import importlib
from functools import cached_property
from pathlib import Path

import click
from oslo_config import cfg

from nova_lite import __version__, exceptions
from nova_lite import conf as nova_lite_conf
from nova_lite.paths import Paths

# name: (module and object, what it is for). Loaded when asked for: `nova-lite token list` imports no database.
SUBCOMMANDS = {
    "serve": ("nova_lite.cli.serve:serve", "Run API and agent in the foreground."),
    "status": ("nova_lite.cli.status:status", "Tell what runs on this host."),
    "token": ("nova_lite.cli.token:token", "Create, list and revoke API tokens."),
    "user": ("nova_lite.cli.user:user", "List and create users; give a lost password anew."),
    "image": ("nova_lite.cli.image:image", "Add, list and remove images."),
    "disk": ("nova_lite.cli.disk:disk", "Make, check and export the disks of servers."),
    "network": ("nova_lite.cli.network:network", "Create, list and delete networks of servers."),
    "port": ("nova_lite.cli.port:port", "Make ports, cards that outlive their servers."),
    "security-group": ("nova_lite.cli.security_group:security_group", "Say what may reach servers."),
    "host": ("nova_lite.cli.host:host", "See and remove what the service made on this host."),
    "flavor": ("nova_lite.cli.flavor:flavor", "List flavors."),
    "console": ("nova_lite.cli.console:console", "Talk to a server on its serial console."),
    "vm": ("nova_lite.cli.vm:vm", "See and stop this host's VMs without the API."),
    "policy": ("nova_lite.cli.policy:policy", "Print, explain and compare policy rules."),
    "schema": ("nova_lite.cli.schema:schema", "Print and compare the formats of every version."),
    "api-ref": ("nova_lite.cli.api_ref:api_ref", "Write the API reference; print OpenAPI documents."),
    "volume": ("nova_lite.cli.volume:volume", "Create, list and delete volumes."),
    "db": ("nova_lite.cli.db:db", "Maintain the database."),
    "completion": ("nova_lite.cli.completion:completion", "Print the shell completion script."),
}


class Settings:
    """What the shared options say; the configuration is read when a subcommand first needs it."""

    def __init__(self, config_files: tuple[Path, ...], state_path: Path | None) -> None:
        self.config_files = [str(path) for path in config_files]
        self.state_path = state_path

    @cached_property
    def conf(self) -> cfg.ConfigOpts:
        try:
            options = nova_lite_conf.load(config_files=self.config_files or None)
        except cfg.Error as error:
            raise click.ClickException(f"the configuration cannot be used: {error}") from error
        if self.state_path is not None:
            options.set_override("state_path", str(self.state_path))
        return options

    @cached_property
    def paths(self) -> Paths:
        return nova_lite_conf.paths(self.conf)


class LazyGroup(click.Group):
    """A group whose subcommands are imported when they are used; its help needs none of them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(SUBCOMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in SUBCOMMANDS:
            return None
        module, _, attribute = SUBCOMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, purpose) for name, (_, purpose) in SUBCOMMANDS.items()])

    def invoke(self, ctx: click.Context) -> object:
        """An expected failure is one line on standard error and exit code 1, never a trace."""
        try:
            return super().invoke(ctx)
        except exceptions.NovaLiteError as error:
            raise click.ClickException(str(error)) from error


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "auto_envvar_prefix": "NOVA_LITE"},
    epilog="Each command has its own help: nova-lite COMMAND --help",
)
@click.version_option(__version__, prog_name="nova-lite")
@click.option(
    "--config-file",
    "config_files",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    multiple=True,
    help="Configuration to read; may be repeated.  [default: /etc/nova-lite/nova-lite.conf if there]",
)
@click.option(
    "--state-path",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of database, images, tokens and servers; overrides the configuration.",
)
@click.pass_context
def main(ctx: click.Context, config_files: tuple[Path, ...], state_path: Path | None) -> None:
    """nova-lite: the OpenStack Compute API on one machine, over its own KVM virtual machines.

    Begin with `nova-lite serve`.
    """
    ctx.obj = Settings(config_files, state_path.absolute() if state_path else None)


pass_settings = click.make_pass_decorator(Settings)
