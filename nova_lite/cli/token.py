"""``nova-lite token``: who may call the API when there is no Keystone."""

from __future__ import annotations

import uuid
from datetime import datetime

import click

from nova_lite.api.auth.tokens import PROJECT_ID, TokenFile
from nova_lite.cli import table
from nova_lite.cli.main import Settings, pass_settings
from nova_lite.cli.moment import Moment

# Names become ids in the same way on every host, so that two tokens for one project share its servers.
NAMES = uuid.uuid5(uuid.NAMESPACE_DNS, "nova-lite")


def identity(kind: str, name_or_id: str) -> str:
    """The id of a project or user that is given by name or by id."""
    if PROJECT_ID.match(name_or_id) and len(name_or_id) >= 32:
        return name_or_id
    return uuid.uuid5(NAMES, f"{kind}:{name_or_id}").hex


def token_file(settings: Settings) -> TokenFile:
    return TokenFile(settings.conf.api.tokens_file or settings.paths.tokens)


@click.group()
def token() -> None:
    """Create, list and revoke API tokens.

    Tokens stand in tokens.yaml in the state folder, as hashes only. The running service follows every change.
    """


@token.command("create")
@click.option("--user", default="admin", show_default=True, help="Name or id of the user.")
@click.option("--project", default="admin", show_default=True, help="Name or id of the project.")
@click.option(
    "--role",
    "roles",
    multiple=True,
    default=["member"],
    show_default=True,
    help="A role: reader, member, manager, admin or one of your policy's; may be repeated.",
)
@click.option("--expires", type=Moment(), help="When it ends: 90m, 12h, 30d, 4w or a time.  [default: never]")
@click.option("--description", help="What it is for.")
@click.option("--quiet", "-q", is_flag=True, help="Print the token alone, for scripts.")
@pass_settings
def create(
    settings: Settings,
    user: str,
    project: str,
    roles: tuple[str, ...],
    expires: datetime | None,
    description: str | None,
    quiet: bool,
) -> None:
    """Create a token and print it, once.

    \b
    nova-lite token create --user ci --project demo --role reader --expires 30d
    TOKEN=$(nova-lite token create -q --role admin)
    """
    settings.paths.make()
    secret, record = token_file(settings).create(
        user_id=identity("user", user),
        user_name=user,
        project_id=identity("project", project),
        project_name=project,
        roles=roles,
        expires_at=expires,
        description=description,
    )
    if quiet:
        click.echo(secret)
        return
    click.echo(f"token    {secret}")
    click.echo(f"id       {record.id}")
    click.echo(f"user     {record.user_name} ({record.user_id})")
    click.echo(f"project  {record.project_name} ({record.project_id})")
    click.echo(f"roles    {', '.join(record.roles)}")
    click.echo(f"expires  {record.expires_at or 'never'}")
    click.echo("It is not kept and cannot be shown again.", err=True)


@token.command("list")
@table.json_option
@pass_settings
def list_tokens(settings: Settings, as_json: bool) -> None:
    """List the tokens (not their secrets)."""
    rows = [
        {
            **vars(record),
            "user": record.user_name,
            "project": record.project_name,
            "state": "expired" if record.expired() else "valid",
        }
        for record in token_file(settings).list()
    ]
    columns = ["id", "user", "project", "roles", "state", "created_at", "expires_at", "description"]
    table.show(rows, columns, as_json, "No tokens. `nova-lite token create` makes one.")


@token.command("revoke")
@click.argument("token_id")
@pass_settings
def revoke(settings: Settings, token_id: str) -> None:
    """Revoke the token with the id TOKEN_ID; running workers refuse it within a second."""
    record = token_file(settings).revoke(token_id)
    click.echo(f"Revoked {record.id} of {record.user_name} in {record.project_name}.")
