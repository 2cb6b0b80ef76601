"""Rows as aligned columns for a person, or as JSON for a program."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import click

json_option: Callable[[Any], Any] = click.option(
    "--json", "as_json", is_flag=True, help="Print JSON for programs instead of a table."
)


def show(rows: Sequence[Mapping[str, object]], columns: Sequence[str], as_json: bool, empty: str) -> None:
    """Print ``rows``; ``empty`` is what to say to a person when there are none."""
    if as_json:
        click.echo(json.dumps([{name: row.get(name) for name in columns} for row in rows], default=_text, indent=2))
        return
    if not rows:
        click.echo(empty)
        return
    cells = [[column.replace("_", " ").upper() for column in columns]]
    cells += [[_text(row.get(column)) for column in columns] for row in rows]
    widths = [max(len(line[index]) for line in cells) for index in range(len(columns))]
    for line in cells:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def _text(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%SZ")
    if isinstance(value, (list, tuple)):
        return ",".join(str(item) for item in value)
    return str(value)
