"""docs/cloud-hypervisor.md says of every key and every path what the VMM does with it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import nova_lite
from nova_lite.hv.vmm.config import DEFS
from nova_lite.hv.vmm.http_api import ENDPOINTS

PAGE = (Path(nova_lite.__file__).parents[1] / "docs/cloud-hypervisor.md").read_text()
SECTIONS = dict(re.findall(r"^## (\w+)$(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL))
#: What goes in, object by object.
OBJECTS = [
    name
    for name, schema in DEFS.items()
    if schema.get("additionalProperties") is False
    and not schema.get("deprecated")
    and name not in ("KernelConfig", "CmdlineConfig", "InitramfsConfig", "ConsoleLogConfig")
]


def names(text: str) -> list[str]:
    return re.findall(r"`([\w.-]+)`", text)


@pytest.mark.parametrize("name", OBJECTS)
def test_every_key_is_told_of_as_the_schema_has_it(name: str) -> None:
    taken, _, refused = SECTIONS[name].partition("| refused | because |")
    assert sorted(names(taken)) == sorted(DEFS[name]["properties"])
    cells = [row.split("|")[1] for row in refused.splitlines() if row.startswith("| `")]
    assert sorted(names(" ".join(cells))) == sorted(DEFS[name].get("ext:not_supported", ()))


def test_no_key_is_taken_and_refused() -> None:
    for name, schema in DEFS.items():
        assert not set(schema.get("ext:not_supported", ())) & set(schema.get("properties", ())), name


def test_every_path_is_told_of() -> None:
    taken, _, absent = SECTIONS["Paths"].partition("Not there")
    assert sorted(names(taken)) == sorted(ENDPOINTS)
    assert not set(names(absent)) & set(ENDPOINTS)
