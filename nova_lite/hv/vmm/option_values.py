"""What follows an option of nova-lite-vmm: Cloud Hypervisor's ``key=value,key=value``, read by the option's own schema.

Nothing about a key is said here: names, kinds and limits are those of the schema that REST is checked with.
"""

from __future__ import annotations

import re
from argparse import ArgumentTypeError
from pathlib import Path
from typing import Any

from nova_lite.hv.vmm import config

#: Cloud Hypervisor's spelling on the command line, where it is another than in REST.
_SPELLINGS = {"boot_vcpus": "boot", "max_vcpus": "max"}
_LIMITER = "rate_limiter_config"
_BUCKETS = {"bw": "bandwidth", "ops": "ops"}
#: Keys whose value is a file of this machine; on the command line it may be relative.
_PATHS = frozenset({"backing_file", "path", "file", "socket", "src", "kernel", "initramfs", "firmware"})
_TOGGLES = {"on": True, "true": True, "yes": True, "off": False, "false": False, "no": False}
_UNITS = {"K": 10, "M": 20, "G": 30, "T": 40}
#: A part ends at a comma that is in no quotes.
_PART = re.compile(r'(?:[^,"]|"[^"]*")*')


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema, or what its $ref stands for; a description beside the $ref goes before the one there."""
    if "$ref" not in schema:
        return schema
    node: Any = config.SCHEMAS
    for step in schema["$ref"].removeprefix("#/").split("/"):
        node = node[step]
    return {**resolved(node), **{key: value for key, value in schema.items() if key != "$ref"}}


def keys(schema: dict[str, Any]) -> dict[str, tuple[tuple[str, ...], dict[str, Any]]]:
    """Each key that an option for this object takes: where its value goes, and that value's schema."""
    found: dict[str, tuple[tuple[str, ...], dict[str, Any]]] = {}
    for name, declared in schema["properties"].items():
        value = resolved(declared)
        if name in ("mode", *modes(schema)):
            continue
        if name == _LIMITER:
            for prefix, bucket in _BUCKETS.items():
                inner = resolved(value["properties"][bucket])
                for part, of_part in inner["properties"].items():
                    text = f"{value['properties'][bucket]['description']} {of_part['description']}"
                    found[f"{prefix}_{part}"] = ((name, bucket, part), of_part | {"description": text})
        elif _is_row(value) or ("properties" not in value and value.get("type") != "array"):
            found[_SPELLINGS.get(name, name)] = ((name,), value)
    return found


def _is_row(schema: dict[str, Any]) -> bool:
    """An object of nothing but numbers, all needed: on the command line ``2:4:1:1``."""
    properties = schema.get("properties", {})
    return bool(properties) and set(schema.get("required", ())) == set(properties) and all(
        resolved(value).get("type") == "integer" for value in properties.values()
    )


def modes(schema: dict[str, Any]) -> dict[str, str]:
    """The modes of a character device, as the command line spells them and as REST does; {} for other objects."""
    mode = schema["properties"].get("mode")
    return {} if mode is None else {choice.lower(): choice for choice in resolved(mode)["enum"]}


def form(schema: dict[str, Any]) -> str:
    """The option's value as --help shows it."""
    if modes(schema):
        choices = "|".join(f"{mode}=PATH" if mode in schema["properties"] else mode for mode in modes(schema))
        return choices + "".join(f",{name}=…" for name in keys(schema))
    names = list(keys(schema))
    alone = _alone(schema)
    return f"{alone}=…" + (",…" if len(names) > 1 else "") if alone else f"{names[0]}=…,…"


def read(schema: dict[str, Any], text: str) -> dict[str, Any]:
    """The object that ``text`` describes; what is empty is left to its default. Raises ArgumentTypeError."""
    known, found = keys(schema), {}  # type: ignore[var-annotated]
    for position, part in enumerate(_split(text)):
        name, separator, raw = part.partition("=")
        if position == 0 and modes(schema):
            found |= _mode(schema, name, raw if separator else None)
            continue
        if not separator and position == 0 and (alone := _alone(schema)) is not None:
            name, raw = alone, part
        elif not separator:
            raise ArgumentTypeError(f"{part!r} is not of the form key=value; keys: {', '.join(known)}")
        if name not in known:
            reason = "is not supported yet" if name in schema.get("ext:not_supported", ()) else "is no key"
            raise ArgumentTypeError(f"{name} {reason}; keys: {', '.join(known)}")
        place, of_value = known[name]
        if raw:
            _put(found, place, convert(of_value, place[-1], name, raw.replace('"', "")))
    return found


def convert(schema: dict[str, Any], name: str, key: str, raw: str) -> Any:
    """The value of the schema's kind; its limits are checked with the whole machine. Raises ArgumentTypeError."""
    kind = schema.get("type")
    if _is_row(schema):
        parts = raw.split(":")
        if len(parts) != len(schema["properties"]):
            raise ArgumentTypeError(f"{key}: {raw!r} is not of the form {':'.join(schema['properties'])}")
        return {
            part: convert(resolved(of_part), part, key, text)
            for (part, of_part), text in zip(schema["properties"].items(), parts, strict=True)
        }
    if kind == "boolean":
        if raw.lower() not in _TOGGLES:
            raise ArgumentTypeError(f"{key}: {raw!r} is neither on nor off")
        return _TOGGLES[raw.lower()]
    if kind == "integer" or isinstance(schema.get("enum", [""])[0], int):
        unit = _UNITS.get(raw[-1:].upper(), 0)
        if re.fullmatch("0x[0-9a-fA-F]{1,16}", raw):
            return int(raw, 16)
        digits = raw[:-1] if unit else raw
        if not (digits.isascii() and digits.isdigit()) or len(digits) > 18:
            raise ArgumentTypeError(f"{key}: {raw!r} is not a number")
        return int(digits) << unit
    if name in _PATHS:
        return str(Path(raw).absolute())
    return next((choice for choice in schema.get("enum", ()) if choice.lower() == raw.lower()), raw)


def _split(text: str) -> list[str]:
    parts, at = [], 0
    while at < len(text):
        match = _PART.match(text, at)
        assert match is not None  # it may match nothing
        if match.end() < len(text) and text[match.end()] != ",":
            raise ArgumentTypeError(f"{text!r} has a quote that does not end")
        parts.append(match.group())
        at = match.end() + 1
    return parts


def _alone(schema: dict[str, Any]) -> str | None:
    """The key that a value without a key belongs to: the one that must be there."""
    required = schema.get("required", ())
    return _SPELLINGS.get(required[0], required[0]) if len(required) == 1 else None


def _mode(schema: dict[str, Any], name: str, path: str | None) -> dict[str, Any]:
    """``off``, ``tty`` …, or ``file=PATH``: a mode that has a property of its own name needs its value."""
    known, with_path = modes(schema), name in schema["properties"]
    if name not in known or bool(path) != with_path or (path == "" and not with_path):
        raise ArgumentTypeError(f"{name if path is None else f'{name}={path}'!r} does not fit; use {form(schema)}")
    return {"mode": known[name]} | ({name: str(Path(path).absolute())} if path else {})


def _put(document: dict[str, Any], place: tuple[str, ...], value: Any) -> None:
    *outer, last = place
    for step in outer:
        document = document.setdefault(step, {})
    document[last] = value
