"""What a document costs on its way in and out: validate, flatten, unflatten; no service, no network.

The baselines of the same run: the same listing built by a hand-written comprehension, and the same body checked by
a prebuilt jsonschema validator.

    python -m bench.formats
"""

from __future__ import annotations

import contextlib
import json
import statistics
import sys
import timeit
from collections.abc import Callable
from typing import Any

import jsonschema

from nova_lite import schemas
from nova_lite.api.mapping import Mapper, OutputMapper, compile_input, compile_output
from nova_lite.api.mapping_tree import Items, Named
from nova_lite.api.validation import ValidationFailed, prepare
from nova_lite.api.validator import Validator
from nova_lite.api.versions import MAX_2, Version

ROWS = 1000
UUID = "9ad2b0a3-4d1c-4d0e-8f4c-2f6a1f6f4d11"
BODY: dict[str, Any] = {
    "server": {
        "name": "web",
        "imageRef": UUID,
        "flavorRef": "1",
        "networks": [{"uuid": UUID}],
        "metadata": {"role": "web", "name": "not a name"},
        "OS-DCF:diskConfig": "AUTO",
        "accessIPv4": "192.0.2.1",
        "accessIPv6": "2001:db8::1",
        "availability_zone": "nova",
        "key_name": "key",
        "config_drive": True,
        "user_data": "IyEvYmluL3No",
        "min_count": 1,
        "max_count": 2,
    },
    "os:scheduler_hints": {"group": UUID},
}


def microseconds(function: Callable[[], Any], number: int) -> float:
    """The median of nine runs."""
    return statistics.median(timeit.repeat(function, number=number, repeat=9)) / number * 1e6


def rows(mapper: OutputMapper) -> dict[str, Any]:
    """A controller's answer with every name of the listing's items, and as many again that no schema asks for."""
    item = next(place.item for place in mapper.tree.places() if isinstance(place, Items) and place.flat == "servers")
    row: dict[str, Any] = {f"more_{number}": number for number in range(20)}
    for place in item.named():
        row[place.flat] = [_inner(place), _inner(place)] if isinstance(place, Items) else "value"
    return {"servers": [dict(row) for _ in range(ROWS)]}


def _inner(place: Items) -> dict[str, str]:
    return {inner.flat: "value" for inner in place.item.named()}


def by_hand(names: list[Named]) -> Callable[[list[dict[str, Any]]], list[dict[str, Any]]]:
    """The least that Python can do: one literal per row, every name renamed, nothing optional, nothing nested."""
    pairs = ", ".join(f"{place.key!r}: row[{place.flat!r}]" for place in names)
    return eval(f"lambda rows: [{{{pairs}}} for row in rows]")


def main() -> int:
    create = schemas.operation("servers.create")
    listing = schemas.operation("servers.detail")
    assert create.input is not None and listing.output is not None
    old = Version(2, 1)
    entry, shown = create.input.at(old), listing.output.at(MAX_2)
    assert entry is not None and entry.schema is not None and shown is not None and shown.schema is not None
    body: Mapper = compile_input(entry.schema)
    output = compile_output(shown.schema)
    validator, second = Validator(entry.schema), jsonschema.Draft202012Validator(entry.schema)
    formats = prepare(create.name, create, names_taken=None).at(old)
    answer = rows(output)
    item = next(place.item for place in output.tree.places() if isinstance(place, Items) and place.flat == "servers")
    hand = by_hand(list(item.named()))
    wrong = {"server": BODY["server"] | {"tags": ["a"]}}

    def refuse() -> None:
        with contextlib.suppress(ValidationFailed):
            formats.read(None, wrong)

    validate_us = microseconds(lambda: validator.faults(BODY), 2000)
    jsonschema_us = microseconds(lambda: second.is_valid(BODY), 100)
    unflatten_ms = microseconds(lambda: output.unflatten(answer), 3) / 1000
    hidden_ms = microseconds(lambda: output.unflatten(answer, lambda _: False), 3) / 1000
    hand_ms = microseconds(lambda: hand(answer["servers"]), 3) / 1000
    result = {
        "benchmark": "formats",
        "flatten_us": round(microseconds(lambda: body.flatten(BODY), 5000), 2),
        "flatten_keys": len(body.flatten(BODY)),
        "validate_us": round(validate_us, 2),
        "validate_jsonschema_us": round(jsonschema_us, 2),
        "validate_ratio": round(jsonschema_us / validate_us, 1),
        "read_us": round(microseconds(lambda: formats.read(None, BODY), 2000), 2),
        "refuse_with_hint_us": round(microseconds(refuse, 200), 2),
        "unflatten_ms": round(unflatten_ms, 2),
        "unflatten_rows": ROWS,
        "unflatten_keys": len(list(item.named())),
        "unflatten_without_admin_ms": round(hidden_ms, 2),
        "by_hand_ms": round(hand_ms, 2),
        "unflatten_ratio": round(hand_ms / unflatten_ms, 2),
    }
    print(json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
