"""Checks behind ``format`` and conversions behind ``ext:type``: the words that schemas use beside JSON Schema's own.

Every check takes a string and says yes or no. What Nova accepts, they accept.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
import unicodedata
import urllib.parse
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

_CANONICAL_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_INTEGER = re.compile(r"[+-]?[0-9]{1,4000}")
_INTEGER_RANGE = range(-(2**63), 2**63)  # what databases and everything else behind the API can hold
_TRUE = frozenset(("1", "t", "true", "on", "y", "yes"))
_FALSE = frozenset(("0", "f", "false", "off", "n", "no"))


def parse_time(text: str) -> datetime:
    """An ISO 8601 time as an aware datetime in UTC; without a zone it is meant in UTC. ValueError if it is none.

    '2016-01-01T00:00:00Z', '2016-01-01 00:00:00', '2016-01-01', '20160101T000000+01:00'.
    """
    # A plus sign that a client forgot to encode in a URL arrives as a space before the zone.
    text = re.sub(r" (\d\d:?\d\d)$", r"+\1", text) if text.count(":") > 2 else text
    parsed = datetime.fromisoformat(text)
    try:
        return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)
    except OverflowError as error:  # year 1 or 9999 near its end
        raise ValueError(str(error)) from None


# ---- formats --------------------------------------------------------------------------------------------


def _is_printable(text: str) -> bool:
    """No control, format, private or unassigned characters, and no line or paragraph separators."""
    if text.isprintable():
        return True
    return all(c.isprintable() or unicodedata.category(c) == "Zs" for c in text)


def _is_name(text: str) -> bool:
    return _is_printable(text) and text == text.strip()


def _is_name_with_spaces(text: str) -> bool:
    return _is_printable(text) and bool(text.strip())


def _is_az_name(text: str) -> bool:
    return ":" not in text and _is_name(text)


def _is_uuid(text: str) -> bool:
    if _CANONICAL_UUID.fullmatch(text):
        return True
    # Nova takes upper case and missing hyphens as well.
    plain = text.lower().replace("urn:", "").replace("uuid:", "").strip("{}").replace("-", "")
    try:
        return len(plain) == 32 and uuid.UUID(plain).hex == plain
    except ValueError:
        return False


def _is_date_time(text: str) -> bool:
    return _succeeds(parse_time, text)


def _is_regex(text: str) -> bool:
    return bool(text) and _succeeds(re.compile, text)


def _is_base64(text: str) -> bool:
    return _succeeds(base64.b64decode, text)


def _is_cidr(text: str) -> bool:
    return "/" in text and _succeeds(lambda cidr: ipaddress.ip_network(cidr, strict=False), text)


def _is_uri(text: str) -> bool:
    try:
        parts = urllib.parse.urlsplit(text)
        parts.port  # noqa: B018  # a port that is no number shows itself here
    except ValueError:
        return False
    return bool(parts.scheme and parts.hostname) and " " not in text and text.isprintable()


def _succeeds(check: Callable[[str], object], text: str) -> bool:
    try:
        check(text)
    except (ValueError, binascii.Error, re.error, OverflowError, RecursionError):
        return False
    return True


# name -> (check, what the value should have been)
FORMATS: dict[str, tuple[Callable[[str], bool], str]] = {
    "name": (_is_name, "a name: printable characters without white space at either end"),
    "name_with_leading_trailing_spaces": (
        _is_name_with_spaces,
        "a name: printable characters with at least one that is not a space",
    ),
    "az_name": (_is_az_name, "a zone name: printable characters but ':', no white space at either end"),
    "printable": (_is_printable, "printable text"),
    "uuid": (_is_uuid, "a 'uuid'"),
    "uuid_or_empty": (lambda text: not text or _is_uuid(text), "a 'uuid' or empty"),
    "date-time": (_is_date_time, "a 'date-time' in ISO 8601"),
    "regex": (_is_regex, "a 'regex'"),
    "base64": (_is_base64, "'base64'"),
    "cidr": (_is_cidr, "a 'cidr'"),
    "ip": (lambda text: _succeeds(ipaddress.ip_address, text), "an IP address"),
    "uri": (_is_uri, "a 'uri' with scheme and host"),
}


# ---- conversions ----------------------------------------------------------------------------------------
# None stays None: whether null is allowed is the schema's business. The text of a ValueError becomes part of a 400
# that names the field; it never repeats the value.


def _to_integer(value: Any) -> int | None:
    if value is None:
        return None
    if isinstance(value, str) and not _INTEGER.fullmatch(value):
        raise ValueError("it is not an integer")
    integer = value if value.__class__ is int else int(value)
    if integer not in _INTEGER_RANGE:
        raise ValueError("the number is too large")
    return integer


def _to_number(value: Any) -> float | int | None:
    if value.__class__ is int or value.__class__ is float or value is None:
        return value
    if isinstance(value, str) and (not value.isascii() or "_" in value):
        raise ValueError("it is not a number")
    try:
        return float(value)
    except ValueError:
        raise ValueError("it is not a number") from None


def _to_boolean(value: Any) -> bool | None:
    if value.__class__ is bool or value is None:
        return value
    word = str(value).strip().lower()
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise ValueError("it is neither true nor false")


def _to_string(value: Any) -> str | None:
    return value if value.__class__ is str or value is None else str(value)


def _to_datetime(value: Any) -> datetime | None:
    if value is None or isinstance(value, datetime):
        return value
    try:
        return parse_time(value)
    except ValueError:
        raise ValueError("it is not a time in ISO 8601") from None


CONVERSIONS: dict[str, Callable[[Any], Any]] = {
    "integer": _to_integer,
    "number": _to_number,
    "boolean": _to_boolean,
    "string": _to_string,
    "datetime": _to_datetime,
}
