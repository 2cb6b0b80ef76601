"""One schema as a validator: quick for good documents, and for bad ones a sentence per fault that helps.

jsonschema-rs does the checking (Draft 2020-12). Two things are Nova's own: the formats of formats.py, and that
``minimum`` and ``maximum`` hold for digit strings too. Values of ``ext:secret`` properties are never repeated.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import jsonschema_rs

from nova_lite.api.formats import FORMATS

MAX_DEPTH = 64  # of nested objects and lists in a request; no schema needs a tenth of it
_MAX_FAULTS = 20  # a hostile document has as many faults as it likes; nobody reads more
_MAX_SHOWN = 80  # characters of a value in a message

Schema = dict[str, Any]


@dataclass(frozen=True)
class Fault:
    """One thing wrong with a document. ``keys``: the unexpected or missing properties, if that is what is wrong."""

    path: tuple[str | int, ...]
    keyword: str
    message: str
    value: str | None = None  # as it may be shown
    keys: tuple[str, ...] = ()

    @property
    def where(self) -> str:
        return "/".join(str(step) for step in self.path)


class Validator:
    """``faults(document)`` is empty for a good document. Building costs about a millisecond, once, at first use."""

    def __init__(self, schema: Schema) -> None:
        self.schema = schema

    @functools.cached_property
    def _compiled(self) -> jsonschema_rs.Draft202012Validator:
        return jsonschema_rs.Draft202012Validator(
            _with_string_bounds(self.schema),
            formats={name: check for name, (check, _) in FORMATS.items()},
            validate_formats=True,
            keywords={"ext:minimum": _Minimum, "ext:maximum": _Maximum},
            offline=True,
        )

    def compile(self) -> None:
        """Build now what is otherwise built at first use. ValueError if the schema is not a valid one."""
        self._compiled  # noqa: B018

    def faults(self, document: Any) -> list[Fault]:
        """What is wrong, at most 20 things; an empty list for a valid document."""
        try:
            if self._compiled.is_valid(document):
                return []
            errors = list(itertools.islice(self._compiled.iter_errors(document), _MAX_FAULTS))
        except (ValueError, OverflowError, RecursionError) as error:
            # Not JSON at all: only code can pass such a thing, no client.
            return [Fault((), "type", f"the document is not JSON: {error}")]
        return [self._fault(error) for error in errors]

    def _fault(self, error: jsonschema_rs.ValidationError) -> Fault:
        best = _telling(error)
        path = tuple(best.instance_path)
        secret = self._is_secret(best)
        value = None if isinstance(best.instance, (dict, list)) else _shown(best.instance, secret)
        keyword = best.kind.name
        keys: tuple[str, ...] = ()
        if keyword in ("additionalProperties", "unevaluatedProperties"):
            keys = tuple(getattr(best.kind, "unexpected", ()))
            message = self._unexpected(best, keys)
        elif keyword == "required":
            keys = (str(getattr(best.kind, "property", "")),)
            message = f"'{keys[0]}' is a required property"
        else:
            message = _sentence(best, "***" if secret else _quoted(best.instance))
        return Fault(path, keyword, message, value, keys)

    def _unexpected(self, error: jsonschema_rs.ValidationError, keys: Sequence[str]) -> str:
        shown = ", ".join(_quoted(key) for key in keys[:5]) + (", ..." if len(keys) > 5 else "")
        *_, parent = self._schemas(error.schema_path[:-1])
        patterns = parent.get("patternProperties")
        if patterns:
            verb = "does" if len(keys) == 1 else "do"
            regexes = ", ".join(repr(pattern) for pattern in patterns)
            return f"{shown} {verb} not match any of the regexes: {regexes}"
        return f"Additional properties are not allowed ({shown} {'was' if len(keys) == 1 else 'were'} unexpected)"

    def _is_secret(self, error: jsonschema_rs.ValidationError) -> bool:
        return any(schema.get("ext:secret") for schema in self._schemas(error.schema_path))

    def _schemas(self, path: Sequence[str | int]) -> Iterator[Schema]:
        """The schemas on the way down a schema path, the root first."""
        at: Any = self.schema
        yield at
        for step in path:
            try:
                at = at[step]
            except (KeyError, IndexError, TypeError):
                return
            if isinstance(at, dict):
                yield at


def too_deep(document: Any) -> bool:
    """Whether objects and lists are nested deeper than any request needs."""
    level = [document]
    for _ in range(MAX_DEPTH + 1):
        inner: list[Any] = []
        for node in level:
            if isinstance(node, dict):
                inner.extend(node.values())
            elif isinstance(node, list):
                inner.extend(node)
        level = inner
        if not level:
            return False
    return True


# ---- Nova's bounds for digit strings --------------------------------------------------------------------


def _with_string_bounds(schema: Any) -> Any:
    """A copy where minimum and maximum beside a type that may be a string are checked by our own keywords.

    Only there: our keywords are Python, and everything else stays in Rust.
    """
    if isinstance(schema, list):
        return [_with_string_bounds(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    copy = {
        key: value if key in ("enum", "const", "default", "required") else _with_string_bounds(value)
        for key, value in schema.items()
    }
    if "string" in copy.get("type", ()):
        for bound in ("minimum", "maximum"):
            if isinstance(copy.get(bound), (int, float)):
                copy[f"ext:{bound}"] = copy.pop(bound)
    return copy


class _Bound:
    def __init__(self, parent: Schema, limit: float, path: Sequence[str | int]) -> None:
        self.limit = limit

    @staticmethod
    def number(instance: Any) -> float | None:
        if isinstance(instance, str):
            try:
                return int(instance)
            except ValueError:
                pass  # a decimal, or more digits than Python converts
            try:
                return float(instance)
            except ValueError:
                return None
        return instance if isinstance(instance, (int, float)) and not isinstance(instance, bool) else None


class _Minimum(_Bound):
    def validate(self, instance: Any) -> None:
        number = self.number(instance)
        if number is not None and not number >= self.limit:
            raise ValueError(f"is less than the minimum of {self.limit}")


class _Maximum(_Bound):
    def validate(self, instance: Any) -> None:
        number = self.number(instance)
        if number is not None and not number <= self.limit:
            raise ValueError(f"is greater than the maximum of {self.limit}")


# ---- sentences ------------------------------------------------------------------------------------------


def _telling(error: jsonschema_rs.ValidationError) -> jsonschema_rs.ValidationError:
    """Of 'fits none of these schemas', the fault in the one schema that was meant, if that can be told."""
    while error.kind.name in ("oneOf", "anyOf") and (branches := getattr(error.kind, "context", None)):
        meant = [
            branch
            for branch in branches
            if branch
            and not any(
                fault.instance_path == error.instance_path and fault.kind.name in ("type", "const", "enum")
                for fault in branch
            )
        ]
        if len(meant) != 1:
            return error
        error = meant[0][0]
    return error


def _sentence(error: jsonschema_rs.ValidationError, value: str) -> str:
    kind: Any = error.kind  # the fields of its subclasses depend on the name
    match kind.name:
        case "type":
            return f"{value} is not of type {', '.join(repr(name) for name in kind.types)}"
        case "enum":
            options = [repr(option) for option in kind.options]
            return f"{value} is not one of [{', '.join(options[:30])}{', ...' if len(options) > 30 else ''}]"
        case "const":
            return f"{value} is not {kind.expected_value!r}"
        case "pattern":
            return f"{value} does not match {kind.pattern!r}"
        case "format":
            return f"{value} is not {_format(kind.format)}"
        case "minLength" | "minItems":
            return f"{value} is too short (at least {kind.limit})"
        case "maxLength" | "maxItems":
            return f"{value} is too long (at most {kind.limit})"
        case "minProperties":
            return f"{value} does not have enough properties (at least {kind.limit})"
        case "maxProperties":
            return f"{value} has too many properties (at most {kind.limit})"
        case "minimum" | "exclusiveMinimum":
            return f"{value} is less than {_or_equal(kind.name)}the minimum of {kind.limit}"
        case "maximum" | "exclusiveMaximum":
            return f"{value} is greater than {_or_equal(kind.name)}the maximum of {kind.limit}"
        case "uniqueItems":
            return f"{value} has non-unique elements"
        case "multipleOf":
            return f"{value} is not a multiple of {kind.multiple_of}"
        case "oneOf" | "anyOf":
            return f"{value} is not valid under any of the given schemas"
        case "ext:minimum" | "ext:maximum":
            return f"{value} {kind.message}"
        case name:
            return f"{value} does not satisfy '{name}'"


def _format(name: str) -> str:
    return FORMATS[name][1] if name in FORMATS else f"a {name!r}"


def _or_equal(keyword: str) -> str:
    return "or equal to " if keyword.startswith("exclusive") else ""


def _quoted(value: Any) -> str:
    if isinstance(value, dict):
        return "the object"
    if isinstance(value, list):
        return "the list"
    return _cut(repr(value))


def _shown(value: Any, secret: bool) -> str:
    return "***" if secret else _cut(str(value))


def _cut(text: str) -> str:
    return text if len(text) <= _MAX_SHOWN else f"{text[: _MAX_SHOWN - 3]}..."
