"""A tree turned into Python code: two plain functions per schema, as one would write them by hand.

No value of a document and no name of a caller ever becomes code: only keys and flat names of our own schemas do,
always through repr(). ``Mapper.source()`` shows what was made.
"""

from __future__ import annotations

from collections.abc import Callable, Set
from typing import Any

from nova_lite.api.formats import CONVERSIONS
from nova_lite.api.mapping_tree import ABSENT, Group, Items, Leaf, Named, Null, Place, Tree, Whole

Function = Callable[[Any], Any]


class _Writer:
    """Lines of code, indentation, fresh variable names, and the functions for items of lists."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.functions: dict[str, str] = {}  # what comes after its name -> name; equal items share a function
        self.depth = 1
        self.variables = 0

    def line(self, text: str) -> None:
        self.lines.append("    " * self.depth + text)

    def fresh(self, stem: str) -> str:
        self.variables += 1
        return f"{stem}{self.variables}"

    def function(self, argument: str, write: Callable[[], None], result: str) -> str:
        """Write the body of a function aside; returns the function's name."""
        outer, self.lines, depth, self.depth = self.lines, [], self.depth, 1
        write()
        self.line(f"return {result}")
        body = f"({argument}):\n" + "\n".join(self.lines) + "\n"
        self.lines, self.depth = outer, depth
        return self.functions.setdefault(body, f"item{len(self.functions) + 1}")

    def source(self, header: str) -> str:
        items = (f"def {name}{body}" for body, name in self.functions.items())
        return "\n".join([*items, header, *self.lines, ""])


# ---- flatten ---------------------------------------------------------------------------------------------


def flatten_source(tree: Tree, *, convert: bool) -> str:
    """Python source of ``flatten(document)``. With ``convert``, ext:type, ext:take and default are followed."""
    if isinstance(tree.root, Whole):
        return f"def flatten(document):\n    return {{{tree.root.flat!r}: document}}\n"
    writer = _Writer()
    writer.line("flat = {}")
    _flatten_group(writer, tree.root, "document", "flat", convert)
    writer.line("return flat")
    return writer.source("def flatten(document):")


def _flatten_group(writer: _Writer, group: Group, node: str, flat: str, convert: bool) -> None:
    for member in group.members:
        at = f"{node}[{member.key!r}]"
        if isinstance(member, Group):
            _flatten_inner(writer, member, node, flat, convert)
        elif isinstance(member, Named):
            take = convert and isinstance(member, Leaf) and member.take_last
            store = f"{flat}[{member.flat!r}] = "
            if member.required and not take:
                writer.line(store + _value(writer, member, at, convert))
                continue
            # An empty list has no last value: it counts as absent.
            writer.line(f"if {node}.get({member.key!r}):" if take else f"if {member.key!r} in {node}:")
            writer.line("    " + store + _value(writer, member, at, convert))
            if convert and member.default is not ABSENT:
                writer.line("else:")
                writer.line("    " + store + repr(member.default))


def _flatten_inner(writer: _Writer, group: Group, node: str, flat: str, convert: bool) -> None:
    inner = writer.fresh("n")
    if not group.members:
        return
    if group.required and not group.nullable:
        writer.line(f"{inner} = {node}[{group.key!r}]")
        _flatten_group(writer, group, inner, flat, convert)
        return
    writer.line(f"{inner} = {node}.get({group.key!r})")
    writer.line(f"if {inner} is not None:")
    writer.depth += 1
    writer.line("pass")
    _flatten_group(writer, group, inner, flat, convert)
    writer.depth -= 1
    defaults = [place for place in group.named() if place.default is not ABSENT] if convert else []
    if defaults:
        writer.line("else:")
        for place in defaults:
            writer.line(f"    {flat}[{place.flat!r}] = {place.default!r}")


def _value(writer: _Writer, place: Named, at: str, convert: bool) -> str:
    if isinstance(place, Items):
        if _is_identity(place.item, convert):
            return at
        return _list(writer, place, at, lambda item: _flatten_item(writer, place.item, item, convert))
    if not convert or not isinstance(place, Leaf):
        return at
    if place.take_last:
        at += "[-1]"
    if place.convert is None:
        return at
    function = f"to_{place.convert}"
    if place.many:
        each = f"[{function}(v) for v in {at}]"
        return f"{at} and {each}" if place.nullable else each  # null stays null, and an empty list empty
    return f"{function}({at})"


def _list(writer: _Writer, place: Items, at: str, each: Callable[[str], str]) -> str:
    made = f"[{each('i')} for i in {at}]"
    return f"{at} and {made}" if place.nullable else made


def _is_identity(item: Group, convert: bool) -> bool:
    """Whether a valid item is its own flat dict already."""
    return item.closed and all(
        isinstance(member, Leaf)
        and member.flat == member.key
        and not (convert and (member.convert or member.take_last or member.default is not ABSENT))
        for member in item.members
    )


def _flatten_item(writer: _Writer, item: Group, variable: str, convert: bool) -> str:
    """An expression for one item: a literal where every key is sure to be there, a call where not."""
    if all(isinstance(member, Leaf) and member.required for member in item.members):
        pairs = (
            f"{member.flat!r}: {_value(writer, member, f'{variable}[{member.key!r}]', convert)}"
            for member in item.members
            if isinstance(member, Leaf)
        )
        return "{" + ", ".join(pairs) + "}"

    def write() -> None:
        writer.line("flat = {}")
        _flatten_group(writer, item, "node", "flat", convert)

    return f"{writer.function('node', write, 'flat')}({variable})"


# ---- unflatten -------------------------------------------------------------------------------------------


def unflatten_source(tree: Tree, hidden: Set[str] = frozenset(), *, as_client: bool = False) -> str:
    """Python source of ``unflatten(flat)``, without the properties of the ``hidden`` rules.

    ``as_client``: the document is one to be sent, so that a value of an ext:take property becomes a list again.
    """
    if isinstance(tree.root, Whole):
        return f"def unflatten(flat):\n    return flat[{tree.root.flat!r}]\n"
    writer = _Writer()
    root = _visible(tree.root, hidden)
    _build_group(writer, root, "flat", "document", as_client)
    writer.line("return document")
    return writer.source("def unflatten(flat):")


def _visible(group: Group, hidden: Set[str]) -> Group:
    members: list[Place] = []
    for member in group.members:
        if isinstance(member, Group):
            members.append(_visible(member, hidden))
        elif isinstance(member, Items) and member.policy not in hidden:
            item = _visible(member.item, hidden)
            members.append(Items(**{**vars(member), "item": item}))
        elif not isinstance(member, Named) or member.policy not in hidden:
            members.append(member)
    return Group(**{**vars(group), "members": members})


def _build_group(writer: _Writer, group: Group, flat: str, target: str, as_client: bool) -> None:
    """Write ``target = {...}``: first the members that are sure to be there, as one literal, then the others."""
    members = list(group.members)
    sure = []
    while members and (value := _sure(writer, members[0], flat, as_client)) is not None:
        sure.append(f"{members.pop(0).key!r}: {value}")
    writer.line(f"{target} = {{{', '.join(sure)}}}")
    for member in members:
        at = f"{target}[{member.key!r}]"
        value = _sure(writer, member, flat, as_client)
        if value is not None:
            writer.line(f"{at} = {value}")
        elif isinstance(member, Named):
            writer.line(f"if {member.flat!r} in {flat}:")
            writer.line(f"    {at} = {_build_value(writer, member, flat, as_client)}")
        elif isinstance(member, Group):
            _build_inner(writer, member, flat, at, as_client)


def _sure(writer: _Writer, member: Place, flat: str, as_client: bool) -> str | None:
    """The value of a member that every document has, as one expression; None if it may be absent."""
    if not member.required:
        return None
    if isinstance(member, Null):
        return "None"
    if isinstance(member, Named):
        return _build_value(writer, member, flat, as_client)
    if not isinstance(member, Group) or member.nullable:
        return None
    values = [(inner.key, _sure(writer, inner, flat, as_client)) for inner in member.members]
    if any(value is None for _, value in values):
        return None
    return "{" + ", ".join(f"{key!r}: {value}" for key, value in values) + "}"


def _build_inner(writer: _Writer, group: Group, flat: str, at: str, as_client: bool) -> None:
    """An inner object: omitted (or null) when none of its names is there, unless it must be there."""
    inner = writer.fresh("d")
    if group.required and not group.nullable:
        _build_group(writer, group, flat, inner, as_client)
        writer.line(f"{at} = {inner}")
        return
    names = [place.flat for place in group.named()]
    if names:
        writer.line("if " + " or ".join(f"{name!r} in {flat}" for name in names) + ":")
        writer.depth += 1
        _build_group(writer, group, flat, inner, as_client)
        writer.line(f"{at} = {inner}")
        writer.depth -= 1
    if group.required:
        if names:
            writer.line("else:")
        writer.line(("    " if names else "") + f"{at} = None")


def _build_value(writer: _Writer, place: Named, flat: str, as_client: bool) -> str:
    at = f"{flat}[{place.flat!r}]"
    if isinstance(place, Items):
        return _list(writer, place, at, lambda item: _build_item(writer, place.item, item, as_client))
    if as_client and isinstance(place, Leaf) and place.take_last:
        return f"[{at}]"
    return at


def _build_item(writer: _Writer, item: Group, variable: str, as_client: bool) -> str:
    if all(isinstance(member, Leaf) and member.required for member in item.members):
        pairs = (
            f"{member.key!r}: {_build_value(writer, member, variable, as_client)}"
            for member in item.members
            if isinstance(member, Leaf)
        )
        return "{" + ", ".join(pairs) + "}"
    name = writer.function("flat", lambda: _build_group(writer, item, "flat", "made", as_client), "made")
    return f"{name}({variable})"


# ---- from source to function ----------------------------------------------------------------------------


def compile_source(source: str, name: str, where: str) -> Function:
    """The function ``name`` of generated source; ``where`` stands for the file name in tracebacks."""
    namespace: dict[str, Any] = {f"to_{word}": function for word, function in CONVERSIONS.items()}
    exec(compile(source, f"<{name} {where}>", "exec"), namespace)
    return namespace[name]
