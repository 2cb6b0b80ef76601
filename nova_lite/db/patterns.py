"""Regular expressions from callers: refused when malformed, or when matching could take for ever.

A match in SQLite runs in this process, and Python's engine backtracks: ``(a+)+$`` on a name of 40 letters would hold a
worker for years. So a repetition may not stand inside another one, only a few unbounded ones may stand in a row, and a
repeated group may not contain alternatives; that bounds a match at a small power of the name's length (255).
"""

from __future__ import annotations

import functools
import re
from typing import Any

from nova_lite import exceptions

_parser: Any = re._parser  # type: ignore[attr-defined]  # the only way to a pattern's structure

_MAX_LENGTH = 255
_MAX_UNBOUNDED = 3
_BOUND = 16  # a repetition of at most so many times counts as bounded


class _TooCostly(Exception):
    pass


@functools.lru_cache(maxsize=256)
def checked(pattern: str) -> str:
    """``pattern`` itself. Invalid, with the reason, when it cannot be used."""
    if len(pattern) > _MAX_LENGTH:
        raise exceptions.Invalid(f"Invalid filter: a regular expression has at most {_MAX_LENGTH} characters.")
    try:
        re.compile(pattern)
        if _unbounded(_parser.parse(pattern), repeated=False) > _MAX_UNBOUNDED:
            raise _TooCostly
    except (re.error, RecursionError, OverflowError) as error:
        raise exceptions.Invalid(f"Invalid filter: '{pattern}' is no regular expression ({error}).") from error
    except _TooCostly:
        raise exceptions.Invalid(
            f"Invalid filter: matching '{pattern}' could take too long; use at most {_MAX_UNBOUNDED} of * + "
            "{n,}, neither repetitions nor alternatives within a repeated group, and no references to groups."
        ) from None
    return pattern


def _unbounded(items: Any, repeated: bool) -> int:
    """How many unbounded repetitions there are; _TooCostly for what must not stand in a repeated group."""
    count = 0
    for operation, argument in items:
        name = str(operation)
        if name in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
            _, most, inner = argument
            if repeated and most > 1:
                raise _TooCostly
            count += (most > _BOUND) + _unbounded(inner, repeated or most > 1)
        elif name == "BRANCH":
            if repeated:
                raise _TooCostly
            count += sum(_unbounded(branch, repeated) for branch in argument[1])
        elif name == "SUBPATTERN":
            count += _unbounded(argument[3], repeated)
        elif name in ("ASSERT", "ASSERT_NOT"):
            count += _unbounded(argument[1], repeated)
        elif name == "ATOMIC_GROUP":
            count += _unbounded(argument, repeated)
        elif name in ("GROUPREF", "GROUPREF_EXISTS"):
            raise _TooCostly
    return count
