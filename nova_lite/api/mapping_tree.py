"""A schema read as a tree of named places: what ``ext:mapping`` says, checked once, before any document is seen.

The tree is the meaning of a schema for flattening; ``mapping_code.py`` turns it into Python. All mistakes of a
schema author are found here, as MappingError, with a sentence that says what to do.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from nova_lite.api.formats import CONVERSIONS

Schema = Mapping[str, Any]
ABSENT: Final = object()  # no default given; None is a default

_COMBINERS = ("oneOf", "anyOf", "allOf", "not", "if", "$ref", "$dynamicRef")
WHOLE = "*"  # the path that names a whole free-form root document


class MappingError(ValueError):
    """A schema whose ``ext:`` keywords contradict it or each other. Raised when it is compiled, at import."""


@dataclass(kw_only=True)
class Place:
    """Something at one spot of the document. ``path`` is written as in ext:mapping: 'server/networks[]/uuid'."""

    key: str
    path: str
    required: bool


@dataclass(kw_only=True)
class Named(Place):
    """A place with a flat name."""

    flat: str
    nullable: bool = False
    default: Any = ABSENT
    policy: str | None = None
    ignore_if_refused: bool = False


@dataclass(kw_only=True)
class Leaf(Named):
    """A value that is handed over as it is, or converted."""

    convert: str | None = None  # a name in CONVERSIONS
    many: bool = False  # a list of values to convert
    take_last: bool = False


@dataclass(kw_only=True)
class Null(Place):
    """A property that can only be null, such as ``{"pause": null}``: it carries nothing."""


@dataclass(kw_only=True)
class Group(Place):
    """An object that is entered: its members share the flat dict of the object around it."""

    nullable: bool = False
    closed: bool = False  # a valid object has no key that is not a member here
    members: list[Place] = field(default_factory=list)

    def named(self) -> Iterator[Named]:
        """Every place with a name in this group's flat dict (not those inside lists)."""
        for member in self.members:
            if isinstance(member, Named):
                yield member
            elif isinstance(member, Group):
                yield from member.named()


@dataclass(kw_only=True)
class Items(Named):
    """A list of objects: a list of flat dicts, each with names of its own."""

    item: Group


@dataclass(kw_only=True)
class Whole(Named):
    """A free-form document without any wrapper: all of it under one name."""


@dataclass(frozen=True)
class Tree:
    """The root of a schema, and what the compiler and the checks need to know of it."""

    root: Group | Whole
    where: str

    def places(self) -> list[Named]:
        """The places of the flat dict itself."""
        return [self.root] if isinstance(self.root, Whole) else list(self.root.named())

    def everything(self) -> Iterator[Named]:
        """All named places, those inside lists too."""
        pending = self.places()
        while pending:
            place = pending.pop()
            yield place
            if isinstance(place, Items):
                pending.extend(place.item.named())


def read(schema: Schema, where: str) -> Tree:
    """Read a schema. ``where`` begins every message: 'servers.create input 2.1'. MappingError for any mistake."""
    return Tree(_Reader(where).root(schema), where)


def is_entered(schema: object) -> bool:
    """Whether an object is entered, rather than being a leaf with content of its own."""
    return (
        isinstance(schema, Mapping)
        and "properties" in schema
        and set(_types(schema)) in ({"object"}, {"object", "null"})
        and not schema.get("patternProperties")
        and schema.get("additionalProperties", False) is False
        and not any(word in schema for word in _COMBINERS)
    )


def _types(schema: Mapping[str, Any]) -> list[str]:
    types = schema.get("type", [])
    return [types] if isinstance(types, str) else list(types)


class _Reader:
    def __init__(self, where: str) -> None:
        self.where = where
        self.renamed: set[int] = set()  # id() of every place that an ext:mapping has named

    def fail(self, message: str) -> MappingError:
        return MappingError(f"{self.where}: {message}")

    def root(self, schema: Schema) -> Group | Whole:
        if _types(schema) != ["object"]:
            raise self.fail("the document must be of type 'object'")
        if "properties" not in schema:
            return self._whole(schema)
        group = Group(key="", path="", required=True)
        self._fill(group, schema)
        self._check_names(group)
        return group

    def _whole(self, schema: Schema) -> Whole:
        mapping = schema.get("ext:mapping", {})
        if set(mapping) != {WHOLE}:
            raise self.fail(
                "the document has no properties of its own; "
                f"name it as a whole: 'ext:mapping': {{'{WHOLE}': 'some_name'}}, or give it 'properties'"
            )
        return Whole(key="", path=WHOLE, required=True, flat=self._flat_name(mapping[WHOLE], WHOLE))

    # -- places ----------------------------------------------------------------------------------------------

    def _fill(self, group: Group, schema: Schema) -> None:
        required = schema.get("required", ())
        for key in required:
            if key not in schema["properties"]:
                raise self.fail(
                    f"'{_join(group.path, key)}' is required but has no schema: add it to 'properties'"
                )
        for key, value in schema["properties"].items():
            place = self._place(key, value, _join(group.path, key), key in required)
            if place is not None:
                group.members.append(place)
        named_all = len(group.members) == len(schema["properties"])
        group.closed = named_all and schema.get("additionalProperties") is False
        self._rename(group, schema)

    def _place(self, key: str, schema: Any, path: str, required: bool) -> Place | None:
        if schema is False:
            return None
        if not isinstance(schema, Mapping):
            schema = {}
        if schema.get("ext:ignored"):
            for word in ("ext:policy", "ext:mapping", "default"):
                if word in schema:
                    raise self.fail(f"'{path}' is ext:ignored, so its '{word}' never counts: drop one of the two")
            return None
        types = _types(schema)
        if types == ["null"]:
            return Null(key=key, path=path, required=required)
        if is_entered(schema):
            for word in ("ext:type", "ext:take", "ext:policy", "default"):
                if word in schema:
                    raise self.fail(f"'{path}' is an object that is entered: move '{word}' to its properties")
            group = Group(key=key, path=path, required=required, nullable="null" in types)
            self._fill(group, schema)
            return group
        if "ext:mapping" in schema:
            raise self.fail(
                f"'{path}' has an ext:mapping but is no object with fixed properties: "
                "map it from the object around it"
            )
        named: dict[str, Any] = {
            "key": key,
            "path": path,
            "required": required,
            "flat": key,
            "nullable": "null" in types,
            "default": schema.get("default", ABSENT),
            "policy": schema.get("ext:policy"),
            "ignore_if_refused": self._refusal(schema, path),
        }
        items = schema.get("items")
        if set(types) in ({"array"}, {"array", "null"}) and is_entered(items) and _types(items) == ["object"]:
            for word in ("ext:type", "ext:take"):
                if word in schema:
                    raise self.fail(f"'{path}' is a list of objects: '{word}' is for lists of plain values")
            item = Group(key=key, path=f"{path}[]", required=True)
            self._fill(item, items)
            self._check_names(item)
            return Items(**named, item=item)
        return self._leaf(schema, types, named)

    def _refusal(self, schema: Schema, path: str) -> bool:
        refusal = schema.get("ext:refusal")
        if refusal is None:
            return False
        if refusal != "ignore" or "ext:policy" not in schema:
            raise self.fail(f"'{path}': ext:refusal can only be 'ignore', and stands beside an ext:policy")
        return True

    def _leaf(self, schema: Schema, types: list[str], named: dict[str, Any]) -> Leaf:
        path = named["path"]
        many = "array" in types
        items = schema.get("items") if many else None
        convert = schema.get("ext:type")
        if convert is None and isinstance(items, Mapping):
            convert = items.get("ext:type")
        if convert is not None and convert not in CONVERSIONS:
            raise self.fail(f"'{path}': ext:type {convert!r} is unknown; there are {', '.join(CONVERSIONS)}")
        if convert is None and set(types) in ({"integer"}, {"integer", "null"}):
            convert = "integer"  # JSON's 1.0 is an integer for a schema; Python code wants int
        take = schema.get("ext:take")
        if take not in (None, "last"):
            raise self.fail(f"'{path}': ext:take {take!r} is unknown; there is 'last'")
        if take and not many:
            raise self.fail(f"'{path}': ext:take is for arrays")
        return Leaf(**named, convert=convert, many=many and not take, take_last=bool(take))

    # -- names -----------------------------------------------------------------------------------------------

    def _rename(self, group: Group, schema: Schema) -> None:
        mapping = schema.get("ext:mapping", {})
        for path, flat in mapping.items():
            place = self._find(group, path)
            label = _join(group.path, path)
            if id(place) in self.renamed:
                raise self.fail(f"'{place.path}' is named twice, the second time as '{label}': drop one")
            self.renamed.add(id(place))
            place.flat = self._flat_name(flat, label)

    def _flat_name(self, flat: object, path: str) -> str:
        if not isinstance(flat, str) or not flat:
            raise self.fail(f"'{path}' is mapped to {flat!r}: a flat name is a string")
        return flat

    def _find(self, group: Group, path: str) -> Named:
        if path == WHOLE:
            raise self.fail(f"'{WHOLE}' names a whole document; this one has properties: map those")
        if "/" not in path:
            return self._find_bare(group, path)
        at: Group = group
        *outer, last = path.removeprefix("./").split("/")  # ./name: the direct property and no other
        for step in outer:
            key = step.removesuffix("[]")
            member = _member(at, key)
            if isinstance(member, Items) and step.endswith("[]"):
                at = member.item
            elif isinstance(member, Group) and not step.endswith("[]"):
                at = member
            elif isinstance(member, Items):
                raise self.fail(f"ext:mapping '{path}': '{key}' is a list of objects, write '{key}[]'")
            else:
                raise self.fail(f"ext:mapping '{path}': {self._nothing(at, key)}")
        return self._nameable(_member(at, last), path, at, last)

    def _find_bare(self, group: Group, name: str) -> Named:
        direct = _member(group, name)
        if direct is not None:
            return self._nameable(direct, name, group, name)
        found = [place for place in _below(group) if place.key == name and isinstance(place, Named)]
        if len(found) > 1:
            paths = sorted(place.path.removeprefix(group.path).lstrip("/") for place in found)
            raise self.fail(
                f"ext:mapping '{name}' is ambiguous: it could be {' or '.join(paths)}; write one of these paths"
            )
        if found:
            return found[0]
        others = [place for place in _below(group) if place.key == name]
        return self._nameable(others[0] if others else None, name, group, name)

    def _nameable(self, place: Place | None, path: str, group: Group, key: str) -> Named:
        if isinstance(place, Named):
            return place
        if isinstance(place, Group):
            raise self.fail(f"ext:mapping '{path}' is an object that is entered: map its properties instead")
        if isinstance(place, Null):
            raise self.fail(f"ext:mapping '{path}' can only be null and carries nothing: drop the mapping")
        raise self.fail(f"ext:mapping '{path}': {self._nothing(group, key)}")

    def _nothing(self, group: Group, key: str) -> str:
        keys = {place.key for place in _below(group)}
        near = difflib.get_close_matches(key, keys, n=1)
        hint = f"did you mean '{near[0]}'?" if near else "drop it, or add the property"
        return f"no readable property '{key}' in {group.path or 'the document'}; {hint}"

    def _check_names(self, group: Group) -> None:
        taken: dict[str, Named] = {}
        for place in group.named():
            other = taken.setdefault(place.flat, place)
            if other is not place:
                raise self.fail(
                    f"'{other.path}' and '{place.path}' both have the flat name '{place.flat}': "
                    "rename one with ext:mapping"
                )


def _join(path: str, key: str) -> str:
    return f"{path}/{key}" if path else key


def _member(group: Group, key: str) -> Place | None:
    return next((member for member in group.members if member.key == key), None)


def _below(group: Group) -> Iterator[Place]:
    """Every place inside, those in lists too."""
    for member in group.members:
        yield member
        if isinstance(member, Group):
            yield from _below(member)
        elif isinstance(member, Items):
            yield from _below(member.item)
