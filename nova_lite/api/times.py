"""Times as answers write them: with a zone as RFC 3339 asks, or without one where Nova left it out."""

from __future__ import annotations

from datetime import UTC, datetime


def rfc3339(value: datetime | None) -> str | None:
    """'2026-11-21T09:40:00Z', in whole seconds; None stays None."""
    return None if value is None else f"{_utc(value).isoformat(timespec='seconds')[:19]}Z"


def naive(value: datetime | None) -> str | None:
    """'2026-11-21T09:40:00.123456': UTC without saying so, as Nova writes times of services and keypairs."""
    return None if value is None else _utc(value).isoformat(timespec="microseconds")[:26]


def _utc(value: datetime) -> datetime:
    return value if value.tzinfo is UTC else value.astimezone(UTC)
