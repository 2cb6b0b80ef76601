"""Points in time as people write them on the command line: how long from now, or when."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import click

_DURATION = re.compile(r"(\d+)([mhdw])\Z", re.ASCII)
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


class Moment(click.ParamType):
    """``30d`` (m, h, d, w) from now, before now with ``ago``; or a time, in this machine's zone if it names none."""

    name = "when"

    def __init__(self, ago: bool = False) -> None:
        self._direction = -1 if ago else 1

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        text = str(value)
        try:
            if match := _DURATION.match(text):
                span = timedelta(**{_UNITS[match[2]]: int(match[1])})
                return datetime.now(UTC).replace(microsecond=0) + self._direction * span
            moment = datetime.fromisoformat(text)
            return moment if moment.tzinfo else moment.astimezone()
        except OverflowError:
            self.fail(f"{text!r} is too far from now", param, ctx)
        except ValueError:
            self.fail(f"{text!r} is neither a duration (90m, 12h, 30d, 4w) nor a time (2030-01-31T12:00Z)", param, ctx)
