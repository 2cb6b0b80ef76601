"""Overlays without a VM: made, read, checked, exported; by ``nova-lite disk`` as well."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from nova_lite.cli.main import main
from nova_lite.disks import overlay
from nova_lite.disks.overlay_format import GRANULE, Header, OverlayError

GIB = 1 << 30


@pytest.fixture(name="base")
def _base(tmp_path) -> Path:
    base = tmp_path / "base"
    base.write_bytes(bytes(range(256)) * 100)
    return base


def ok(*arguments: object) -> str:
    result = CliRunner().invoke(main, ["disk", *map(str, arguments)])
    assert result.exit_code == 0, result.output
    return result.output


def failure(*arguments: object) -> str:
    result = CliRunner().invoke(main, ["disk", *map(str, arguments)])
    assert result.exit_code in (1, 2)
    return result.output


def put(path: Path, header: Header, granule: int, data: bytes) -> None:
    """As the VMM does: the data, then the bit."""
    with path.open("r+b") as file:
        file.seek(header.data_offset + granule * GRANULE)
        file.write(data)
        file.seek(header.bitmap_offset + granule // 8)
        byte = file.read(1)[0]
        file.seek(header.bitmap_offset + granule // 8)
        file.write(bytes([byte | 1 << granule % 8]))


def test_a_new_disk_of_10_gib_takes_kilobytes_and_reads_as_its_base_and_zeros(tmp_path, base):
    path = tmp_path / "overlay"
    ok("create", path, "--base", base, "--size", "10G")
    assert path.stat().st_blocks * 512 < 1 << 20
    with overlay.open_view(path, base) as view:
        assert view.size == 10 * GIB
        assert view.read(25000, 2000) == base.read_bytes()[25000:] + bytes(1400)
        assert view.read(10 * GIB - 10, 100) == bytes(10)
        assert view.read(10 * GIB, 1) == b""
    (row,) = json.loads(ok("info", path, "--base", base, "--json"))
    assert (row["size"], row["base_size"], row["written"], row["left_over"]) == (10 * GIB, 25600, 0, 0)


def test_what_was_written_counts_and_what_was_never_flushed_does_not(tmp_path, base):
    path, raw = tmp_path / "overlay", tmp_path / "raw"
    header = overlay.create(path, 1 << 20, base)
    for granule in (1, 2, 200):
        put(path, header, granule, b"new!" * 1024)
    with path.open("r+b") as file:
        file.seek(header.data_offset + 100 * GRANULE)
        file.write(b"lost" * 1024)
    expected = bytearray(base.read_bytes().ljust(1 << 20, b"\0"))
    for granule in (1, 2, 200):
        expected[granule * GRANULE : (granule + 1) * GRANULE] = b"new!" * 1024
    with overlay.open_view(path, base) as view:
        assert view.read(0, 1 << 20) == expected
        usage = view.usage()
    assert (usage.written, usage.left_over) == (3 * GRANULE, GRANULE)
    assert f"{GRANULE} bytes were never flushed" in ok("check", path, "--base", base)
    ok("export", path, raw, "--base", base)
    assert raw.read_bytes() == expected
    assert raw.stat().st_blocks * 512 < 1 << 19
    assert "File exists" in failure("export", path, raw, "--base", base)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--size", "10X"], "no size such as 10G"),
        (["--size", "513"], "multiples of 512"),
        (["--size", "0"], "cannot be made"),
        (["--size", "9T"], "cannot be made"),
        ([], "Name a base, a size or both"),
    ],
)
def test_impossible_sizes_are_refused_and_leave_no_file(tmp_path, arguments, reason):
    assert reason in failure("create", tmp_path / "overlay", *arguments)
    assert os.listdir(tmp_path) == []


def test_a_disk_is_never_smaller_than_its_base_and_never_in_the_place_of_another(tmp_path, base):
    path = tmp_path / "overlay"
    assert "too small for its base" in failure("create", path, "--base", base, "--size", "16K")
    ok("create", path, "--base", base)
    before = path.read_bytes()
    assert "File exists" in failure("create", path, "--size", "1M")
    assert path.read_bytes() == before


def test_damage_is_named(tmp_path, base):
    path = tmp_path / "overlay"
    header = overlay.create(path, 1 << 20, base)
    with path.open("r+b") as file:
        file.seek(header.bitmap_offset + header.granules // 8)
        file.write(b"\1")
    assert "bits beyond the disk's end" in failure("check", path, "--base", base)
    assert "needs its base" in failure("check", path)
    base.write_bytes(base.read_bytes()[::-1])
    with pytest.raises(OverlayError, match="was written to"), overlay.open_view(path, base):
        pass
    with path.open("r+b") as file:
        file.seek(9)
        file.write(b"\7")
    assert "header of" in failure("info", path, "--base", base)
    path.write_bytes(b"")
    assert "is not an overlay" in failure("check", path)
