"""Reading and writing the documents of one operation: validate, flatten, unflatten, at any version.

``@validation.schema(schemas.servers.create)`` marks a controller's method. ``prepare`` proves, when the application
is built, that schemas and method agree on every name, and gives the Formats of each version.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from nova_lite import exceptions
from nova_lite.api import hints, validator
from nova_lite.api.mapping import (
    ConversionError,
    Mapper,
    MappingError,
    OutputMapper,
    compile_input,
    compile_output,
)
from nova_lite.api.validator import Fault, Validator
from nova_lite.api.versions import Version
from nova_lite.schemas import History, OperationSchemas, Schema
from nova_lite.schemas.parameter_types import no_query

F = TypeVar("F", bound=Callable[..., Any])
Flat = dict[str, Any]

# From here on unknown query keys are refused everywhere, also where an operation takes no query at all.
STRICT_QUERIES_SINCE = (2, 102)


def schema(schemas: OperationSchemas) -> Callable[[F], F]:
    """Mark a controller's method with the schemas of its documents, of all versions."""

    def mark(function: F) -> F:
        function.__nl_schemas__ = schemas  # type: ignore[attr-defined]
        return function

    return mark


class PrepareError(Exception):
    """Schemas and controller do not fit together; raised at import, the message says what to change."""


class ValidationFailed(exceptions.Invalid):
    """A request that its schema refuses (400). ``path`` of the first fault, and all ``faults``, most useful first."""

    def __init__(self, message: str, path: str = "", faults: tuple[Fault, ...] = ()) -> None:
        super().__init__(message)
        self.path = path
        self.faults = faults


class _Input:
    """A body or a query from one base version on."""

    def __init__(self, history: History, schema: Schema, where: str) -> None:
        self.history = history
        self.schema = schema
        self.mapper: Mapper = compile_input(schema, where)
        self.validator = Validator(schema)

    def read(self, document: Any, version: Version, relaxed: bool = False) -> Flat:
        faults = self.validator.faults(document)
        while relaxed and sum(_remove(document, fault) for fault in faults) > 0:
            faults = self.validator.faults(document)
        if faults:
            raise _failure(faults, self.history, version)
        try:
            return self.mapper.flatten(document)
        except ConversionError as error:
            message = f"Invalid input for field/attribute {error.path}. {error}"
            raise ValidationFailed(message, error.path) from error


class Formats:
    """The documents of one operation at one version.

    ``policies``: flat names a caller may only use if it passes the rule, else the request is refused;
    ``filters``: the same, but the name is ignored instead.
    """

    def __init__(
        self, version: Version, body: _Input | None, query: _Input | None, output: OutputMapper | None
    ) -> None:
        self.version = version
        self._body = body
        self._query = query
        self._output = output
        self.has_input = body is not None
        self.has_output = output is not None
        # Without a schema a query is ignored, as Nova does, until unknown keys are refused everywhere.
        self.has_query = query is not None or version >= STRICT_QUERIES_SINCE
        sources = [part.mapper for part in (body, query) if part is not None]
        self.policies = {name: rule for mapper in sources for name, rule in mapper.policies.items()}
        self.filters = {name: rule for mapper in sources for name, rule in mapper.filters.items()}

    def read(self, query: Mapping[str, list[str]] | None, body: Any, relaxed: bool = False) -> Flat:
        """The flat params of a request. ``query`` and ``body`` are read only if this version has them.

        :param relaxed: overlook what does not belong into ``body`` or ``query`` instead of refusing it.

        ValidationFailed names the field, what is wrong with it and, where one exists, the version that accepts it.
        """
        params: Flat = {}
        if self._body is not None:
            params = self._body.read(self._checked_body(body), self.version, relaxed)
        if self._query is not None:
            params.update(self._query.read(query or {}, self.version))
        elif self.has_query and query and not relaxed:
            faults = _NO_QUERY.faults(query)
            raise ValidationFailed(faults[0].message, faults[0].where, tuple(faults))
        return params

    def guard(self, params: Flat, allowed: Callable[[str], bool]) -> str | None:
        """Take out of ``params`` what this caller may not use; the rule that refuses the request, if one does."""
        for name, rule in self.policies.items():
            if name in params and not allowed(rule):
                return rule
        for name, rule in self.filters.items():
            if name in params and not allowed(rule):
                del params[name]
        return None

    def write(self, flat: Flat | None, allowed: Callable[[str], bool] | None = None) -> dict[str, Any] | None:
        """The answer's document, or None if this version has none. OutputError if the controller gave too little.

        ``allowed`` decides on properties with ext:policy, once per rule.
        """
        if self._output is None:
            return None
        return self._output.unflatten(flat or {}, allowed)

    def _checked_body(self, body: Any) -> Any:
        if body.__class__ is dict:
            if validator.too_deep(body):
                raise ValidationFailed(f"Malformed request body: nested deeper than {validator.MAX_DEPTH} levels.")
            return body
        assert self._body is not None
        required = self._body.schema.get("required", ())
        if body is None:
            if not required:
                return {}
            expected = ", ".join(f"'{key}'" for key in required)
            raise ValidationFailed(f"The request body is missing: send a JSON object with {expected}.")
        raise ValidationFailed("Malformed request body: it must be a JSON object.")


_NO_QUERY = Validator(no_query)


class PreparedOperation:
    """One operation's documents, with everything checked that can be checked before a request comes."""

    def __init__(self, name: str, schemas: OperationSchemas | None) -> None:
        self.name = name
        self.schemas = schemas
        self._inputs: dict[tuple[str, Version], _Input | None] = {}
        self._outputs: dict[Version, OutputMapper | None] = {}
        self._formats: dict[Version, Formats] = {}
        for history in schemas.histories() if schemas else ():
            for entry in history:
                where = f"{name} {history.part} {entry.base_version}"
                if history.part == "output":
                    mapper = compile_output(entry.schema, where) if entry.schema is not None else None
                    self._outputs[entry.base_version] = mapper
                else:
                    part = _Input(history, entry.schema, where) if entry.schema is not None else None
                    self._inputs[history.part, entry.base_version] = part

    def at(self, version: Version) -> Formats:
        """The formats of a version."""
        formats = self._formats.get(version)
        if formats is None:
            formats = self._formats[version] = Formats(
                version, self._input("input", version), self._input("query", version), self._output(version)
            )
        return formats

    def rules(self) -> frozenset[str]:
        """Every policy rule that the schemas name."""
        rules: set[str] = set()
        for part in filter(None, self._inputs.values()):
            rules.update(part.mapper.policies.values(), part.mapper.filters.values())
        for mapper in filter(None, self._outputs.values()):
            rules.update(mapper.rules)
        return frozenset(rules)

    def names(self) -> frozenset[str]:
        """Every flat name that some version's body or query gives."""
        return frozenset(name for part in filter(None, self._inputs.values()) for name in part.mapper.names)

    def inputs(self) -> Iterator[_Input]:
        return filter(None, self._inputs.values())

    def check_all(self) -> None:
        """Compile everything now that is otherwise compiled at first use."""
        for part in self.inputs():
            part.validator.compile()
            part.mapper.compile()
        for mapper in filter(None, self._outputs.values()):
            mapper.compile()

    def _history(self, part: str) -> History | None:
        return getattr(self.schemas, part) if self.schemas else None

    def _input(self, part: str, version: Version) -> _Input | None:
        history = self._history(part)
        entry = history.at(version) if history else None
        return self._inputs[part, entry.base_version] if entry else None

    def _output(self, version: Version) -> OutputMapper | None:
        history = self._history("output")
        entry = history.at(version) if history else None
        return self._outputs[entry.base_version] if entry else None


def prepare(
    name: str,
    schemas: OperationSchemas | None,
    *,
    names_taken: frozenset[str] | None,
    path_fields: frozenset[str] = frozenset(),
) -> PreparedOperation:
    """Check one operation's schemas against the method that takes their params.

    :param names_taken: what the method's ``params`` declare; None if they declare nothing, which is not checked.
    :param path_fields: names that the URL gives.
    :raises PrepareError: a mistake in a schema, a name that nobody takes, or one that nothing gives.
    """
    try:
        prepared = PreparedOperation(name, schemas)
    except MappingError as error:
        raise PrepareError(str(error)) from error
    _check_clashes(prepared, path_fields)
    if names_taken is None:
        return prepared
    given = prepared.names() | path_fields
    if extra := given - names_taken:
        raise PrepareError(
            f"{name}: its schemas give {_listed(extra)}, which the method's params do not declare: "
            "add to their TypedDict, or mark the property ext:ignored"
        )
    if unknown := names_taken - given:
        raise PrepareError(
            f"{name}: its params declare {_listed(unknown)}, which no version's schema gives: "
            "remove from their TypedDict, or map a property to it"
        )
    return prepared


def _check_clashes(prepared: PreparedOperation, path_fields: frozenset[str]) -> None:
    bodies = [part for (kind, _), part in prepared._inputs.items() if kind == "input" and part]
    queries = [part for (kind, _), part in prepared._inputs.items() if kind == "query" and part]
    body = frozenset(name for part in bodies for name in part.mapper.names)
    query = frozenset(name for part in queries for name in part.mapper.names)
    for one, other, what in (
        (body, query, "body and query"),
        (body, path_fields, "body and path"),
        (query, path_fields, "query and path"),
    ):
        if shared := one & other:
            raise PrepareError(f"{prepared.name}: {what} both give {_listed(shared)}: rename one with ext:mapping")


def _listed(names: frozenset[str]) -> str:
    return ", ".join(f"'{name}'" for name in sorted(names))


# ---- errors ---------------------------------------------------------------------------------------------

_RANK = {"additionalProperties": 2, "required": 1, "type": 3}


def _failure(faults: list[Fault], history: History, version: Version) -> ValidationFailed:
    hinted = [(fault, _hint(fault, history, version)) for fault in faults]
    # What another version would accept comes first: it is what the sender cannot guess.
    hinted.sort(key=lambda pair: (pair[1] is None, _RANK.get(pair[0].keyword, 4), len(pair[0].path)))
    first, hint = hinted[0]
    message = _worded(first, history.part) + (f". {hint[0].upper()}{hint[1:]}" if hint else "")
    others = [fault.where or "the top" for fault, _ in hinted[1:]]
    if others:
        places = ", ".join(dict.fromkeys(others[:5]))
        message += f". {len(others)} more fault{'s' if len(others) > 1 else ''}: at {places}"
    return ValidationFailed(message, first.where, tuple(fault for fault, _ in hinted))


def _remove(document: Any, fault: Fault) -> int:
    """Take the unexpected keys out of the document; how many there were."""
    if fault.keyword != "additionalProperties":
        return 0
    for step in fault.path:
        document = document[step]
    found = [key for key in fault.keys if key in document]
    for key in found:
        del document[key]
    return len(found)


def _worded(fault: Fault, part: str) -> str:
    if not fault.path:
        return fault.message
    value = f" Value: {fault.value}." if fault.value is not None else ""
    if part == "query":
        return f"Invalid input for query parameters {fault.path[0]}.{value} {fault.message}"
    return f"Invalid input for field/attribute {fault.where}.{value} {fault.message}"


def _hint(fault: Fault, history: History, version: Version) -> str | None:
    look = {"additionalProperties": hints.for_unexpected, "required": hints.for_missing}.get(fault.keyword)
    if look is None:
        return None
    found = (look(history, version, fault.path, key) for key in fault.keys[:5])
    return "; ".join(hint for hint in found if hint) or None
