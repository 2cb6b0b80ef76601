"""How a controller declares its operations: decorators that only mark, and the class that collects the marks.

An operation is one verb on one route, or one action of ``POST /servers/{server_id}/action``. Decorators never wrap:
they write into a Declaration, ``operations.py`` proves the declarations consistent when the application is built,
``pipeline.py`` runs them. Two methods of one name with different version ranges are one operation whose semantics
changed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypedDict, TypeVar

from nova_lite.api.request import Request
from nova_lite.api.versions import MIN_2, Range, Version
from nova_lite.compute import states

__all__ = [
    *("Controller", "NoParams", "Request", "action", "expected_errors", "response", "route", "target", "verb"),
    "version",
]


class NoParams(TypedDict):
    """The params of a method that takes none; annotated with it, a schema that gives some is an error."""


F = TypeVar("F", bound=Callable[..., Any])
ACTION_PATH = "/servers/{server_id}/action"


@dataclass
class Declaration:
    """Everything the decorators said about one method."""

    function: Callable[..., Any]
    method: str | None = None
    paths: dict[int, str] = field(default_factory=dict)  # by major version
    actions: dict[int, str] = field(default_factory=dict)  # by major version; empty for a plain route
    policy: str | None = None
    ranges: list[Range] = field(default_factory=list)
    responses: list[tuple[Version, int]] = field(default_factory=list)
    errors: frozenset[int] = frozenset()
    other_statuses: frozenset[int] = frozenset()
    target: Callable[[Request], Mapping[str, Any]] | None = None
    verbs: tuple[states.Verb, ...] = ()
    schemas: Any = None


def declaration(function: Callable[..., Any]) -> Declaration:
    """The function's Declaration, made at the first decorator."""
    found = function.__dict__.get("__declaration__")
    if found is None:
        found = function.__declaration__ = Declaration(function)  # type: ignore[attr-defined]
    return found


def route(method: str, path: str, *, policy: str | None = None, v3: str | None = None) -> Callable[[F], F]:
    """This method answers ``method`` on ``path`` (fields in braces, no version prefix).

    :param v3: the path in major 3, where it differs.
    :param policy: the rule a caller must pass; None when another function of the same operation names it.
    """

    def mark(function: F) -> F:
        said = declaration(function)
        said.method, said.policy = method, policy
        said.paths = {2: path, 3: v3 or path}
        return function

    return mark


def action(
    name: str, *, policy: str | None = None, v3: str | None = None, path: str = ACTION_PATH, v3_path: str | None = None
) -> Callable[[F], F]:
    """This method answers the POST on ``path`` whose body has the single key ``name`` (``v3`` in major 3)."""

    def mark(function: F) -> F:
        said = declaration(function)
        said.method, said.policy = "POST", policy
        said.paths = {2: path, 3: v3_path or path}
        said.actions = {2: name, 3: v3 or name}
        return function

    return mark


def version(base: str, max: str | None = None) -> Callable[[F], F]:
    """The versions, both included, whose semantics this method has; without ``max`` up to the newest of all.

    Given twice where an operation ends in one major and stands again in the next.
    """

    def mark(function: F) -> F:
        declaration(function).ranges.append(Range.parse(base, max))
        return function

    return mark


def response(code: int, version: str | None = None, or_else: int | tuple[int, ...] = ()) -> Callable[[F], F]:
    """The status of success from ``version`` on (from the start, when left out).

    :param or_else: another one, or several, that the method may ask for by ``req.answer_with``.
    """

    def mark(function: F) -> F:
        since = Version.parse(version) if version else MIN_2
        said = declaration(function)
        said.responses.append((since, code))
        said.other_statuses |= {or_else} if isinstance(or_else, int) else set(or_else)
        return function

    return mark


def expected_errors(*codes: int) -> Callable[[F], F]:
    """The error statuses this method may end in; any other business error is a bug and answers 500."""

    def mark(function: F) -> F:
        declaration(function).errors = frozenset(codes)
        return function

    return mark


def verb(*verbs: states.Verb) -> Callable[[F], F]:
    """What this method does to a server, in words of the state machine; one of them where the body says which.

    The compute layer checks it when the time comes. Declared here, it can be told beforehand (allowed-actions).
    """

    def mark(function: F) -> F:
        declaration(function).verbs = verbs
        return function

    return mark


def target(find: Callable[[Request], Mapping[str, Any]]) -> Callable[[F], F]:
    """Where policy is about something the path does not name: ``find(req)`` gives the target from query or body.

    It runs before validation and must take anything a client can send.
    """

    def mark(function: F) -> F:
        declaration(function).target = find
        return function

    return mark


class _Namespace(dict):
    """A class body that keeps every declared function, also when a later one has the same name."""

    def __init__(self) -> None:
        super().__init__()
        self.declared: dict[str, list[Callable[..., Any]]] = {}

    def __setitem__(self, name: str, value: Any) -> None:
        if callable(value) and "__declaration__" in getattr(value, "__dict__", {}):
            self.declared.setdefault(name, []).append(value)
        super().__setitem__(name, value)


class _ControllerType(type):
    @classmethod
    def __prepare__(cls, name: str, bases: tuple[type, ...], **kwargs: Any) -> _Namespace:  # type: ignore[override]
        return _Namespace()

    def __new__(cls, name: str, bases: tuple[type, ...], namespace: _Namespace) -> _ControllerType:
        made = super().__new__(cls, name, bases, dict(namespace))
        made.declared = namespace.declared  # type: ignore[attr-defined]
        return made


class Controller(metaclass=_ControllerType):
    """Base of every controller.

    ``resource`` names the modules in schemas/ and policies/ and the first half of each operation's name.
    ``resource_obj_cls`` is the class of object that the path's first field names: the infrastructure loads it, checks
    policy on it, and hands it over as ``obj`` (None where the path names none). A controller that must load in a way
    of its own (deleted servers too, say) sets ``load`` to a method ``load(req, value)`` that raises NotFound.
    """

    resource: str = ""
    resource_obj_cls: type | None = None
    load: Callable[[Request, str], Any] | None = None
    declared: dict[str, list[Callable[..., Any]]]

    def __init__(self, compute: Any) -> None:
        self.compute = compute
