"""``nova-lite user``: users of the embedded Identity service, for a machine's own administrator."""

from __future__ import annotations

import contextlib
import secrets
import sys
from collections.abc import Iterator

import click

from nova_lite import exceptions
from nova_lite.cli import table
from nova_lite.cli.database import open_database
from nova_lite.cli.main import Settings, pass_settings
from nova_lite.db import identity as db_identity
from nova_lite.embedded.identity import app as identity_app
from nova_lite.embedded.identity import fernet_keys
from nova_lite.embedded.identity.records import Project, Role, User
from nova_lite.embedded.identity.verbs import Identity


@contextlib.contextmanager
def _identity(settings: Settings) -> Iterator[Identity]:
    with open_database(settings) as database:
        yield identity_app.connect(settings.conf, database)


def _one(identity: Identity, kind: type, name_or_id: str):  # type: ignore[no-untyped-def]
    with identity.database.read() as connection:
        found = db_identity.named(connection, kind, name_or_id) or db_identity.get(connection, kind, name_or_id)
    if found is None:
        raise exceptions.NotFound(f"There is no {kind.__name__.lower()} {name_or_id}.")
    return found


def _password(given: bool) -> tuple[str, bool]:
    """A password read from the terminal or standard input, or one made up."""
    if not given:
        return secrets.token_urlsafe(18), True
    if sys.stdin.isatty():
        return click.prompt("Password", hide_input=True, confirmation_prompt=True), False
    return sys.stdin.readline().rstrip("\n"), False


@click.group()
def user() -> None:
    """List and create users of the embedded Identity service; give a lost password anew.

    The rest (projects, roles, who has which) goes by its API: `openstack user|project|role …`.
    """


@user.command("list")
@table.json_option
@pass_settings
def list_users(settings: Settings, as_json: bool) -> None:
    """List users, and the projects in which they have a role."""
    with _identity(settings) as identity:
        held = identity.assignments({})
        rows = [
            {
                **{key: getattr(found, key) for key in ("id", "name", "enabled", "email")},
                "roles": sorted(f"{role.name} in {project.name}" for who, project, role in held if who.id == found.id),
            }
            for found in identity.list_(User, {})
        ]
    table.show(rows, ["id", "name", "enabled", "roles"], as_json, "No users. The first `nova-lite serve` makes admin.")


@user.command("create")
@click.argument("name")
@click.option("--project", help="A project that the user gets a role in; made if it is not there.")
@click.option("--role", default="member", show_default=True, help="The role there.")
@click.option("--password", "asked", is_flag=True, help="Read the password instead of making one up.")
@pass_settings
def create(settings: Settings, name: str, project: str | None, role: str, asked: bool) -> None:
    """Create the user NAME and print a password, once.

    \b
    nova-lite user create ada --project demo
    echo secret | nova-lite user create ci --project demo --role reader --password
    """
    with _identity(settings) as identity:
        given = _one(identity, Role, role) if project else None
        password, made = _password(asked)
        created = identity.create(User, {"name": name, "password": password})
        if project and given:
            try:
                found = _one(identity, Project, project)
            except exceptions.NotFound:
                found = identity.create(Project, {"name": project})
            identity.update(created, {"default_project_id": found.id})
            identity.assign(found, created.id, given.id)
    click.echo(f"user      {name} ({created.id})")
    if project:
        click.echo(f"project   {project}, as {role}")
    if made:
        click.echo(f"password  {password}")


@user.command("password")
@click.argument("name")
@click.option("--password", "asked", is_flag=True, help="Read the password instead of making one up.")
@pass_settings
def set_password(settings: Settings, name: str, asked: bool) -> None:
    """Give the user NAME a new password; all of its tokens end."""
    with _identity(settings) as identity:
        found = _one(identity, User, name)
        password, made = _password(asked)
        identity.update(found, {"password": password})
    click.echo(f"password  {password}" if made else f"The password of {name} is changed.")


@user.command("rotate-keys")
@pass_settings
def rotate_keys(settings: Settings) -> None:
    """Encrypt new tokens with a new key; tokens of the last two stay good until they end."""
    settings.paths.make()
    kept = fernet_keys.rotate(settings.paths.fernet_keys)
    click.echo(f"A new key is in use; {kept} of at most {fernet_keys.KEPT} are kept.")
