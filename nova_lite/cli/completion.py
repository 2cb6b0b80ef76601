"""``nova-lite completion``: the script that makes a shell complete commands and options."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

SHELLS = ("bash", "zsh", "fish")


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the completion script of SHELL.

    \b
    bash:  nova-lite completion bash > ~/.local/share/bash-completion/completions/nova-lite
    zsh:   nova-lite completion zsh > "${fpath[1]}/_nova-lite"
    fish:  nova-lite completion fish > ~/.config/fish/completions/nova-lite.fish
    """
    script = get_completion_class(shell)
    assert script is not None  # click ships all three
    click.echo(script(ctx.find_root().command, {}, "nova-lite", "_NOVA_LITE_COMPLETE").source())
