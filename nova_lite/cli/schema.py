"""``nova-lite schema``: print any operation's formats at any version, and what changed between two."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator
from pathlib import Path

import click

from nova_lite import schemas
from nova_lite.api import versions
from nova_lite.api.versions import Version
from nova_lite.schemas import PARTS, Entry, History, OperationSchemas, contract

GOLDEN = Path("tests/unit/golden/contract.txt")
_COLOURS = {"+": "green", "-": "red", "~": "yellow"}

part_option = click.option(
    "--part", type=click.Choice(PARTS), help="Only the body (input), the query or the answer (output)."
)


class _VersionType(click.ParamType):
    """A version of the history, or 'latest' (of major 2)."""

    name = "version"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Version:
        if isinstance(value, Version):
            return value
        if value == "latest":
            return versions.MAX_2
        try:
            version = Version.parse(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)
        if version not in versions.KNOWN:
            self.fail(f"{version} does not exist; there are {versions.MIN_2} to {versions.MAX_2} and 3.0", param, ctx)
        return version


VERSION = _VersionType()


@click.group()
def schema() -> None:
    """Print and compare the formats of every version.

    Operations are named resource.method, such as servers.create; `nova-lite schema list` names them all.
    """


@schema.command("list")
@click.argument("resource", required=False)
def list_operations(resource: str | None) -> None:
    """List the operations, and for each document the versions that changed it."""
    found = schemas.resources() if resource is None else [_resource(resource)]
    for each in found:
        for operation in each:
            click.echo(operation.name)
            for history in operation.histories():
                bases = ", ".join(
                    f"{entry.base_version}" if entry.schema is not None else f"{entry.base_version} (none)"
                    for entry in history
                )
                click.echo(f"  {history.part:<7} {bases}")


@schema.command("show")
@click.argument("operation")
@click.argument("version", type=VERSION)
@part_option
def show(operation: str, version: Version, part: str | None) -> None:
    """Print the JSON schemas of OPERATION in force at VERSION.

    \b
    nova-lite schema show servers.create 2.52
    nova-lite schema show servers.create 3.0 --part input
    """
    found = _entries(_operation(operation), version)
    if part is not None:
        if part not in found:
            raise click.ClickException(f"{operation} has no {part} document at {version}.")
        click.echo(json.dumps(found[part].schema, indent=2))
        return
    if not found:
        raise click.ClickException(f"{operation} has no documents at {version}.")
    documents = {name: {"since": str(entry.base_version), "schema": entry.schema} for name, entry in found.items()}
    click.echo(json.dumps({"operation": operation, "version": str(version)} | documents, indent=2))


@schema.command("diff")
@click.argument("operation")
@click.argument("old", type=VERSION)
@click.argument("new", type=VERSION)
@part_option
@click.option("--unified", is_flag=True, help="The JSON schemas line by line instead of property by property.")
def diff(operation: str, old: Version, new: Version, part: str | None, unified: bool) -> None:
    """Print what changed in OPERATION from version OLD to version NEW.

    \b
    nova-lite schema diff servers.create 2.42 2.52
    nova-lite schema diff servers.show 2.104 3.0 --part output

    Lines begin with + (new), - (gone) or ~ (changed).
    """
    known = _operation(operation)
    before, after = _entries(known, old), _entries(known, new)
    silent = True
    for name in PARTS if part is None else (part,):
        was = before[name].schema if name in before else None
        now = after[name].schema if name in after else None
        found = list(_unified(was, now, old, new) if unified else _by_property(was, now))
        if not found:
            continue
        silent = False
        click.secho(f"{operation} {name}", bold=True)
        for line in found:
            click.secho(line, fg=_COLOURS.get(line.lstrip()[:1]))
    if silent:
        click.echo(f"No difference between {old} and {new}.")


@schema.command("history")
@click.argument("operation")
def history(operation: str) -> None:
    """Print every change of OPERATION, oldest first."""
    for line in contract.operation_lines(_operation(operation)):
        click.secho(line, fg=_COLOURS.get(line.lstrip()[:1]) if line.startswith("    ") else None)


@schema.command("golden")
@click.option("--write", is_flag=True, help=f"Write {GOLDEN} (from the top of a source tree) instead of printing.")
def golden(write: bool) -> None:
    """Print the whole contract: every operation, version and property, as the golden file holds it."""
    text = contract.golden(schemas.resources())
    if not write:
        click.echo(text, nl=False)
        return
    if not GOLDEN.parent.is_dir():
        raise click.ClickException(f"there is no {GOLDEN.parent} here: run this at the top of the source tree")
    old = GOLDEN.read_text() if GOLDEN.exists() else ""
    GOLDEN.write_text(text)
    changed = sum(line[:1] in "+-" for line in difflib.unified_diff(old.splitlines(), text.splitlines(), n=0))
    click.echo(f"{GOLDEN}: {changed} lines changed" if old != text else f"{GOLDEN}: unchanged")


def _operation(name: str) -> OperationSchemas:
    try:
        return schemas.operation(name)
    except AttributeError as error:
        raise click.ClickException(str(error)) from error


def _resource(name: str) -> schemas.Resource:
    try:
        return schemas.resource(name)
    except AttributeError as error:
        raise click.ClickException(str(error)) from error


def _entries(operation: OperationSchemas, version: Version) -> dict[str, Entry]:
    """The documents that exist at a version, by part."""
    histories: dict[str, History | None] = {part: getattr(operation, part) for part in PARTS}
    found = {part: history.at(version) for part, history in histories.items() if history is not None}
    return {part: entry for part, entry in found.items() if entry is not None and entry.schema is not None}


def _by_property(was: schemas.Schema | None, now: schemas.Schema | None) -> Iterator[str]:
    for sign, path, text in contract.changes(contract.lines(was), contract.lines(now)):
        yield f"  {sign} {path}: {text}"


def _unified(was: schemas.Schema | None, now: schemas.Schema | None, old: Version, new: Version) -> Iterator[str]:
    before, after = (json.dumps(each, indent=2).splitlines() if each is not None else [] for each in (was, now))
    return difflib.unified_diff(before, after, fromfile=str(old), tofile=str(new), lineterm="")
