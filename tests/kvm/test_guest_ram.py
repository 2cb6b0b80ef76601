"""Guest RAM as the host sees it: huge pages for a guest with an operating system, small ones for a small guest."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from nova_lite.hv.native.machine import Machine
from tests.kvm.vmm_process import MIB, needs_kvm

pytestmark = needs_kvm


def mapping_of(size: int) -> tuple[int, set[str]]:
    """Start and VmFlags of our mapping that has this size."""
    for part in re.split(r"^(?=[0-9a-f]+-[0-9a-f]+ )", Path("/proc/self/smaps").read_text(), flags=re.MULTILINE):
        if found := re.match(r"([0-9a-f]+)-([0-9a-f]+) ", part):
            start, end = (int(word, 16) for word in found.groups())
            if end - start == size:
                return start, set(part.rpartition("VmFlags:")[2].split())
    raise AssertionError(f"no mapping of {size} bytes")


@pytest.mark.parametrize(("size", "advice"), [(128 * MIB + 4096, "hg"), (127 * MIB, "nh")])
def test_guest_memory_is_aligned_for_huge_pages_which_a_large_guest_gets(size: int, advice: str) -> None:
    with Machine(size, 1):
        start, flags = mapping_of(size)
    assert start % (2 * MIB) == 0
    assert advice in flags
    assert "dd" in flags, "no core dump of the VMM holds a guest's secrets"


def test_memory_is_empty_after_a_reset() -> None:
    with Machine(130 * MIB, 1) as machine:
        machine.write_memory(129 * MIB, b"secret")
        machine.reset()
        assert machine.read_memory(129 * MIB, 6) == bytes(6)


def test_a_dump_has_what_was_written_and_holes_for_the_rest(tmp_path: Path) -> None:
    with Machine(128 * MIB, 1) as machine, open(tmp_path / "dump", "wb+") as file:
        machine.write_memory(0x1003, b"low")
        machine.write_memory(128 * MIB - 4, b"last")
        file.truncate(4096 + 128 * MIB)
        machine.dump_memory(file.fileno(), 4096)
        file.seek(4096 + 0x1003)
        assert file.read(3) == b"low"
        file.seek(-4, 2)
        assert file.read() == b"last"
        assert (tmp_path / "dump").stat().st_blocks * 512 < MIB
