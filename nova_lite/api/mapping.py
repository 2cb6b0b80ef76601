"""``ext:mapping``: a schema compiled to two functions, document -> flat dict and flat dict -> document.

The rules, with examples, are in docs/ext-mapping.md. The schema alone decides where a name is found: a document's
own keys are only ever compared with the schema's, so nothing a client sends can become a name.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any

from nova_lite.api import mapping_code
from nova_lite.api.mapping_tree import Group, Items, MappingError, Named, Schema, Tree, Whole, read

__all__ = [
    "ConversionError",
    "Mapper",
    "MappingError",
    "OutputError",
    "OutputMapper",
    "compile_input",
    "compile_output",
]

Flat = dict[str, Any]
Document = dict[str, Any]


class OutputError(RuntimeError):
    """A controller's answer lacks what the schema requires, or has another shape: a bug, never the client's fault."""


class ConversionError(ValueError):
    """A value that passed validation but cannot be converted as ext:type says. ``path`` names it."""

    def __init__(self, message: str, path: str) -> None:
        super().__init__(message)
        self.path = path


def compile_input(schema: Schema, where: str = "schema") -> Mapper:
    """The mapper of a request's body or query. ``where`` begins every error: 'servers.create input 2.1'.

    MappingError if the schema's ``ext:`` keywords contradict it.
    """
    return Mapper(read(schema, where))


def compile_output(schema: Schema, where: str = "schema") -> OutputMapper:
    """The mapper of an answer. MappingError as for compile_input."""
    return OutputMapper(read(schema, where))


class _Compiled:
    """What both directions share: the names, and code made when it is first needed."""

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self.names: frozenset[str] = frozenset(place.flat for place in tree.places())

    def compile(self) -> None:
        """Make all code now that is otherwise made at first use."""
        for function in ("_flatten", "_unflatten"):
            getattr(self, function)

    def paths(self) -> dict[str, str]:
        """Where each flat name stands in the document: {'access_ip_v4': 'server/accessIPv4'}."""
        return {place.flat: place.path for place in self.tree.places()}


class Mapper(_Compiled):
    """Input. ``policies`` and ``filters``: the rules that a caller must pass to use a name.

    Without the rule, a name of ``policies`` refuses the request; one of ``filters`` is ignored (ext:refusal).
    """

    def __init__(self, tree: Tree) -> None:
        super().__init__(tree)
        guarded = [place for place in tree.places() if place.policy]
        self.policies = {place.flat: str(place.policy) for place in guarded if not place.ignore_if_refused}
        self.filters = {place.flat: str(place.policy) for place in guarded if place.ignore_if_refused}
        for place in tree.everything():
            if place.policy and "[]" in place.path:
                raise MappingError(
                    f"{tree.where}: '{place.path}' is inside a list, where an ext:policy of an input cannot "
                    "be checked: put it on the list"
                )

    def source(self) -> str:
        """The generated code of flatten."""
        return mapping_code.flatten_source(self.tree, convert=True)

    @functools.cached_property
    def _flatten(self) -> Callable[[Document], Flat]:
        return mapping_code.compile_source(self.source(), "flatten", self.tree.where)

    @functools.cached_property
    def _unflatten(self) -> Callable[[Flat], Document]:
        source = mapping_code.unflatten_source(self.tree, as_client=True)
        return mapping_code.compile_source(source, "unflatten", self.tree.where)

    def flatten(self, document: Document) -> Flat:
        """A valid document as a flat dict. ConversionError if a value is not what its ext:type says."""
        try:
            return self._flatten(document)
        except ValueError as error:
            raise ConversionError(str(error), _find_unconvertible(self.tree, document)) from error

    def unflatten(self, flat: Flat) -> Document:
        """The document a client would send to have ``flat`` arrive: for clients, examples and tests."""
        return self._unflatten(flat)


class OutputMapper(_Compiled):
    """Output. ``rules``: the policy rules that decide on some of its properties."""

    def __init__(self, tree: Tree) -> None:
        super().__init__(tree)
        self.rules: tuple[str, ...] = tuple(sorted({str(p.policy) for p in tree.everything() if p.policy}))
        # One function per set of hidden rules: what a caller may not see costs nothing per row.
        self._variants: dict[frozenset[str], Callable[[Flat], Document]] = {}

    def source(self, hidden: frozenset[str] = frozenset()) -> str:
        """The generated code of unflatten."""
        return mapping_code.unflatten_source(self.tree, hidden)

    def _build(self, hidden: frozenset[str]) -> Callable[[Flat], Document]:
        build = self._variants.get(hidden)
        if build is None:
            build = mapping_code.compile_source(self.source(hidden), "unflatten", self.tree.where)
            self._variants[hidden] = build
        return build

    @functools.cached_property
    def _unflatten(self) -> Callable[[Flat], Document]:
        return self._build(frozenset())

    @functools.cached_property
    def _flatten(self) -> Callable[[Document], Flat]:
        source = mapping_code.flatten_source(self.tree, convert=False)
        return mapping_code.compile_source(source, "flatten", self.tree.where)

    def flatten(self, document: Document) -> Flat:
        """What a client reads out of an answer: the flat names again."""
        return self._flatten(document)

    def unflatten(self, flat: Flat, allowed: Callable[[str], bool] | None = None) -> Document:
        """The document of a controller's answer, which may hold more names than the schema has.

        :param allowed: whether the caller passes a rule; asked once per rule. None allows all.
        :raises OutputError: a required property has no value; the message names it.
        """
        hidden = frozenset() if allowed is None else frozenset(r for r in self.rules if not allowed(r))
        try:
            return self._build(hidden)(flat)
        except (KeyError, TypeError) as error:
            fault = next(_faults(self.tree.root, flat, hidden, ""), None)
            if fault is None:
                raise
            raise OutputError(f"{self.tree.where}: {fault}") from error


def _faults(group: Group | Whole, flat: Any, hidden: frozenset[str], inside: str) -> Iterator[str]:
    """Why generated code failed; slow and complete, run only then."""
    if not isinstance(flat, dict):
        yield f"{inside or 'the answer'} must be a dict of flat names, not {type(flat).__name__}"
        return
    for place in [group] if isinstance(group, Whole) else _needed(group, flat):
        name = f"{inside}[{place.flat!r}]" if inside else repr(place.flat)
        if place.policy in hidden:
            continue
        if place.flat not in flat:
            yield f"the controller's answer has no {name}, which '{place.path}' requires"
        elif isinstance(place, Items):
            items = flat[place.flat]
            if items is None and place.nullable:
                continue
            if not isinstance(items, (list, tuple)):
                yield f"{name} must be a list of dicts, not {type(items).__name__}"
                continue
            for number, item in enumerate(items):
                yield from _faults(place.item, item, hidden, f"{place.flat}[{number}]")


def _needed(group: Group, flat: Flat) -> Iterator[Named]:
    """The places that must have a value, as things stand in ``flat``."""
    for member in group.members:
        if isinstance(member, Named) and (member.required or member.flat in flat):
            yield member
        elif isinstance(member, Group):
            must = member.required and not member.nullable
            if must or any(place.flat in flat for place in member.named()):
                yield from _needed(member, flat)


def _find_unconvertible(tree: Tree, document: Document) -> str:
    """The path of the value that could not be converted."""
    if isinstance(tree.root, Group):
        for place, value in _converted(tree.root, document):
            try:
                mapping_code.CONVERSIONS[place.convert](value)  # type: ignore[index]
            except ValueError:
                return place.path
    return ""


def _converted(group: Group, node: Document) -> Iterator[tuple[mapping_code.Leaf, Any]]:
    for member in group.members:
        value = node.get(member.key)
        if value is None:
            continue
        if isinstance(member, Group):
            yield from _converted(member, value)
        elif isinstance(member, Items):
            for item in value:
                yield from _converted(member.item, item)
        elif isinstance(member, mapping_code.Leaf) and member.convert:
            for one in value if isinstance(value, list) else [value]:
                yield member, one
