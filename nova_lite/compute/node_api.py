"""The node API as data: methods with the schemas of their parameters and results, and the table of errors.

Read from ``nova_lite/schemas/node/*.json``; the agent's server and the API's client both validate with it, always.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from importlib import resources
from typing import Any

import jsonschema_rs
import orjson

VERSION = "1.0"
MAX_REQUEST = 64 * 1024  # bytes of one line to the agent
_FILES = ("agent.json", "server.json", "host.json")


class NodeError(Exception):
    """An error of the node API. ``name`` and ``code`` as in ``errors.json``."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(message)
        self.name = name

    @property
    def code(self) -> int:
        return error_codes()[self.name]


class NodeUnavailable(NodeError):
    """The agent does not answer, or not in a way that can be understood."""

    def __init__(self, message: str) -> None:
        super().__init__("InternalError", message)


@dataclass(frozen=True)
class Method:
    """One method, its validators ready."""

    name: str
    since: str
    description: str
    errors: tuple[str, ...]
    params: Any
    result: Any


def _load(file: str) -> dict[str, Any]:
    document = orjson.loads((resources.files("nova_lite.schemas") / "node" / file).read_bytes())
    assert isinstance(document, dict)
    return document


@functools.cache
def error_codes() -> dict[str, int]:
    """Number of each error by its name."""
    return {name: error["code"] for name, error in _load("errors.json").items()}


@functools.cache
def error_names() -> dict[int, str]:
    return {code: name for name, code in error_codes().items()}


@functools.cache
def methods() -> dict[str, Method]:
    """Every method by its name. ValueError when a file names an error that does not exist."""
    found = {}
    for file in _FILES:
        for name, entry in _load(file).items():
            unknown = set(entry["errors"]) - error_codes().keys()
            if unknown:
                raise ValueError(f"{file}: {name} names unknown errors: {', '.join(sorted(unknown))}")
            found[name] = Method(
                name,
                entry["since"],
                entry["description"],
                tuple(entry["errors"]),
                jsonschema_rs.validator_for(entry["params"]),
                jsonschema_rs.validator_for(entry["result"]),
            )
    return found


def fault_of(validator: Any, value: object) -> str | None:
    """What is wrong with a value, with its place; None when nothing is."""
    error = next(iter(validator.iter_errors(value)), None)
    if error is None:
        return None
    place = "".join(f"/{part}" for part in error.instance_path)
    return f"{place or 'document'}: {error.message}"
