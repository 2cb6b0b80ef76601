"""``nova-lite api-ref``: write the API reference, check that it is current, print OpenAPI documents."""

from __future__ import annotations

import json
from pathlib import Path

import click
import yaml

from nova_lite.api.operations import DeclarationError
from nova_lite.api.versions import KNOWN, MAJORS, Version
from nova_lite.reference import build as files
from nova_lite.reference import openapi as openapi_document
from nova_lite.reference.examples import ExampleError
from nova_lite.reference.facts import Reference


class VersionType(click.ParamType):
    """A version that the API serves."""

    name = "version"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Version:
        if isinstance(value, Version):
            return value
        try:
            version = Version.parse(str(value))
        except ValueError as error:
            self.fail(f"{error}", param, ctx)
        if version not in KNOWN:
            ranges = " and ".join(
                f"{first} to {last}" if first != last else f"{last}" for first, last in MAJORS.values()
            )
            self.fail(f"{version} does not exist; there are {ranges}", param, ctx)
        return version


@click.group("api-ref")
def api_ref() -> None:
    """Generate the reference of the API from its operation table.

    Everything comes from controllers, schemas, policies and the list of versions; none of it is written by hand.
    """


@api_ref.command("build")
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("api-ref"),
    show_default=True,
    help="Folder of the pages.",
)
@click.option("--check", is_flag=True, help="Write nothing; exit with 1 and name the files that are not current.")
def build(output: Path, check: bool) -> None:
    """Write the Markdown pages: one per resource, all versions, all policy rules."""
    try:
        pages = files.pages(_reference())
    except ExampleError as error:
        raise click.ClickException(str(error)) from error
    if not check:
        touched = files.write(pages, output)
        for path in touched:
            click.echo(path)
        click.echo(f"{len(pages)} pages, {len(touched)} changed", err=True)
        return
    faults = files.stale(pages, output)
    for fault in faults:
        click.echo(fault, err=True)
    if faults:
        raise click.ClickException("the reference is not current; `make api-ref` writes it")


@api_ref.command("openapi")
@click.argument("version", type=VersionType())
@click.option(
    "--format", "form", type=click.Choice(["json", "yaml"]), default="json", show_default=True, help="Notation."
)
def openapi(version: Version, form: str) -> None:
    """Print the OpenAPI 3.1 document of VERSION, as in `nova-lite api-ref openapi 2.53`."""
    try:
        document = openapi_document.document(_reference(), version)
    except ExampleError as error:
        raise click.ClickException(str(error)) from error
    text = json.dumps(document, indent=2, ensure_ascii=False)
    if form == "yaml":
        # From the JSON text: fragments that schemas share would become YAML's anchors, which few tools resolve.
        text = yaml.safe_dump(json.loads(text), sort_keys=False, allow_unicode=True, width=120).rstrip()
    click.echo(text)


def _reference() -> Reference:
    try:
        return files.reference()
    except DeclarationError as error:
        raise click.ClickException(f"the operation table cannot be built: {error}") from error
