"""The operation table: every declared operation, proved consistent when the application is built.

Routes, 405s, validation, policy, the reference, OpenAPI and the policy walk in the tests all derive from this table.
"""

from __future__ import annotations

import functools
import inspect
import re
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from nova_lite.api import validation, wsgi
from nova_lite.api.versions import ALL, Range, RangeError, Version, check_ranges
from nova_lite.compute import states
from nova_lite.objects import Ownerless

_FIELD = re.compile(r"\{([a-z_]+)\}")


class DeclarationError(Exception):
    """A controller's declaration is wrong; raised while the application is built, the message says what to do."""


@dataclass(frozen=True)
class Variant:
    """One version of one operation, ready to run."""

    function: Callable[..., Any]
    status: int
    errors: frozenset[int]
    formats: validation.Formats
    other_statuses: frozenset[int]
    target: Callable[[wsgi.Request], Mapping[str, Any]] | None


@dataclass
class Operation:
    """One verb on one route, or one action, through all its versions.

    ``paths`` and ``actions`` by major version. ``object_field`` is the path field that names the object to load.
    """

    name: str
    resource: str
    method: str
    paths: dict[int, str]
    actions: dict[int, str]
    policy: str
    functions: list[tuple[Range, wsgi.Declaration, Callable[..., Any]]]
    prepared: validation.PreparedOperation
    object_class: type | None
    object_field: str | None
    load: Callable[[wsgi.Request, str], Any] | None
    verbs: tuple[states.Verb, ...] = ()
    _variants: dict[Version, Variant | None] = field(default_factory=dict)

    @functools.cached_property
    def ownerless(self) -> bool:
        """Whether the object that it loads belongs to no project."""
        return self.object_class is not None and issubclass(self.object_class, Ownerless)

    @property
    def ranges(self) -> list[Range]:
        return [function[0] for function in self.functions]

    @property
    def docstring(self) -> str:
        """The documentation of the newest function."""
        return inspect.getdoc(self.functions[-1][2]) or ""

    @functools.cached_property
    def versions(self) -> tuple[Version, ...]:
        return tuple(v for v in ALL if any(r.contains(v) for r in self.ranges))

    def at(self, version: Version) -> Variant | None:
        """The operation at ``version``, or None where it does not exist."""
        try:
            return self._variants[version]
        except KeyError:
            return self._variants.setdefault(version, self._build(version))

    def _build(self, version: Version) -> Variant | None:
        for versions, said, function in self.functions:
            if versions.contains(version):
                return Variant(
                    function=function,
                    status=status_at(said.responses, version),
                    errors=said.errors,
                    formats=self.prepared.at(version),
                    other_statuses=said.other_statuses,
                    target=said.target,
                )
        return None

    def describe_range(self, major: int) -> str:
        """Where the operation exists, for an error message: '2.1 to 2.35'."""
        found = [v for v in self.versions if v.major == major]
        if not found:
            return f"the {', '.join(sorted({f'v{v.major}' for v in self.versions}))} API"
        if found[0] == found[-1]:
            return f"microversion {found[0]}"
        return f"microversions {found[0]} to {found[-1]}"


def status_at(responses: list[tuple[Version, int]], version: Version) -> int:
    """The status declared by the newest entry not above ``version``."""
    return max((since, code) for since, code in responses if since <= version)[1]


@dataclass
class Table:
    """All operations; ``routes[major][path][method]`` and ``actions[major][path][name]`` list the candidates."""

    operations: list[Operation]
    routes: dict[int, dict[str, dict[str, list[Operation]]]] = field(default_factory=dict)
    actions: dict[int, dict[str, dict[str, list[Operation]]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for operation in self.operations:
            for major, path in operation.paths.items():
                if not any(v.major == major for v in operation.versions):
                    continue
                if operation.actions:
                    self._add(self.actions, major, path, operation.actions[major], operation)
                self._add(self.routes, major, path, operation.method, operation)

    def _add(self, index: dict, major: int, path: str, key: str, operation: Operation) -> None:
        candidates = index.setdefault(major, {}).setdefault(path, {}).setdefault(key, [])
        if index is self.actions or not operation.actions:
            for other in candidates:
                if shared := set(other.versions) & set(operation.versions):
                    raise DeclarationError(
                        f"{operation.name} and {other.name} both answer {key} {path} at {min(shared)}: "
                        "give them version ranges that do not overlap"
                    )
        candidates.append(operation)

    def __iter__(self) -> Iterator[Operation]:
        return iter(self.operations)

    def operation(self, name: str) -> Operation:
        """The operation called ``resource.method``; KeyError when there is none."""
        for operation in self.operations:
            if operation.name == name:
                return operation
        raise KeyError(name)


def collect(controllers: Iterable[wsgi.Controller], known_rules: frozenset[str]) -> Table:
    """Build the table from controller instances.

    :param known_rules: every registered policy rule.
    :raises DeclarationError: a declaration is incomplete, ranges overlap or leave a hole, a rule is not registered, a
        flat name of a schema is not among the method's parameters, or the other way round.
    """
    operations = []
    for controller in controllers:
        for method_name, functions in type(controller).declared.items():
            operations.append(_operation(controller, method_name, functions, known_rules))
    return Table(operations)


def _operation(
    controller: wsgi.Controller, method_name: str, functions: list[Callable[..., Any]], known_rules: frozenset[str]
) -> Operation:
    if not controller.resource:
        raise DeclarationError(f"{type(controller).__name__}: set `resource` to the name of its schema module")
    name = f"{controller.resource}.{method_name}"
    said = [wsgi.declaration(function) for function in functions]
    for one in said:
        if not one.ranges:
            raise DeclarationError(f"{name}: say since when it exists: @wsgi.version(base=...)")
        if not one.responses:
            raise DeclarationError(f"{name}: say the status of success: @wsgi.response(...)")
        first = min(since for since, _ in one.responses)
        if first > min(one.ranges).base:
            base = min(one.ranges).base
            raise DeclarationError(f"{name}: no status for {base}; the first @wsgi.response is for {first}")
    first_said = next((one for one in said if one.method), None)
    if first_said is None:
        raise DeclarationError(f"{name}: say where it is found: @wsgi.route(...) or @wsgi.action(...)")
    try:
        check_ranges([versions for one in said for versions in one.ranges], name)
    except RangeError as error:
        raise DeclarationError(str(error)) from error

    policies = {one.policy for one in said if one.policy}
    if len(policies) != 1:
        raise DeclarationError(f"{name}: name exactly one policy rule, not {sorted(policies) or 'none'}")
    rule = policies.pop()
    if rule not in known_rules:
        raise DeclarationError(f"{name}: rule {rule} is not registered; add it to nova_lite/policies/")

    schemas = {id(s): s for s in (f.__dict__.get("__nl_schemas__") for f in functions) if s is not None}
    if len(schemas) > 1:
        raise DeclarationError(
            f"{name}: every function must name the same schemas; formats are versioned in the schema"
        )
    path_fields = {f for path in first_said.paths.values() for f in _FIELD.findall(path)}
    object_field = None
    if controller.resource_obj_cls is not None and path_fields:
        object_field = _FIELD.findall(first_said.paths[2])[0]
    if any(one.target for one in said) and object_field:
        raise DeclarationError(f"{name}: @wsgi.target is for operations that load no object; drop one of the two")

    try:
        prepared = validation.prepare(
            name,
            next(iter(schemas.values()), None),
            names_taken=_names_taken(name, functions),
            path_fields=frozenset(path_fields - {object_field}),
        )
    except validation.PrepareError as error:
        raise DeclarationError(str(error)) from error
    unknown = {r for r in prepared.rules() if r not in known_rules}
    if unknown:
        raise DeclarationError(f"{name}: its schemas name rules that are not registered: {', '.join(sorted(unknown))}")
    return Operation(
        name=name,
        resource=controller.resource,
        method=typing.cast(str, first_said.method),
        paths=first_said.paths,
        actions=first_said.actions,
        policy=typing.cast(str, rule),
        functions=sorted(
            (
                (versions, one, one.function.__get__(controller, type(controller)))
                for one in said
                for versions in one.ranges
            ),
            key=lambda function: function[0],
        ),
        prepared=prepared,
        object_class=controller.resource_obj_cls,
        object_field=object_field,
        load=controller.load,
        verbs=tuple(dict.fromkeys(verb for one in said for verb in one.verbs)),
    )


def _names_taken(name: str, functions: list[Callable[..., Any]]) -> frozenset[str]:
    """The flat names that the functions' ``params`` (a TypedDict) hold; none when no function annotates it."""
    names: set[str] = set()
    for function in functions:
        annotation = typing.get_type_hints(function).get("params")
        if annotation is None:
            continue
        if not typing.is_typeddict(annotation):
            raise DeclarationError(f"{name}: annotate `params` with a TypedDict that names what it takes")
        names |= set(typing.get_type_hints(annotation))
    return frozenset(names)
