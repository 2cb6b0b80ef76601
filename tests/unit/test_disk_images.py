"""Disk images come in as raw files, whoever made them; what lies, is broken or would fill the disk stays out."""

from __future__ import annotations

import hashlib
import os
import random
import re
import shutil
import subprocess
import sys
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nova_lite.disks import conversion, importer, qcow2
from tests.unit import qcow2_files
from tests.unit.qcow2_files import DATA_AT, SIZE, disk_of

GIB = 1 << 30
_RANDOM = random.Random(4)
CLUSTERS = {0: _RANDOM.randbytes(SIZE), 5: b"x" * SIZE, 6: bytes(SIZE), 63: _RANDOM.randbytes(SIZE)}


def taken(path: Path, claimed: str | None = None, max_size: int = GIB) -> tuple[importer.Disk, bytes]:
    target = path.with_name("taken.raw")
    disk = importer.import_disk(path, target, claimed, max_size)
    try:
        return disk, target.read_bytes()
    finally:
        target.unlink()


def refusal(path: Path, claimed: str | None = None, max_size: int = GIB) -> str:
    target = path.with_name("refused.raw")
    with pytest.raises(importer.ImportRefused) as caught:
        importer.import_disk(path, target, claimed, max_size)
    assert not target.exists()
    said = str(caught.value)
    assert said.startswith(f"{path}: ")
    return said.removeprefix(f"{path}: ")


@pytest.mark.parametrize(
    ("version", "pack"),
    [(2, ""), (2, "zlib"), (3, ""), (3, "zlib"), (3, "zstd")],
    ids=lambda value: str(value or "plain"),
)
def test_a_qcow2_disk_comes_in_as_it_is(tmp_path: Path, version: int, pack: str) -> None:
    path = tmp_path / "image.qcow2"
    path.write_bytes(qcow2_files.qcow2(CLUSTERS, version=version, pack=pack))
    for claimed in ("qcow2", None):
        disk, content = taken(path, claimed)
        assert content == disk_of(CLUSTERS)
        assert (disk.format, disk.virtual_size, disk.size) == ("qcow2", 64 * SIZE, path.stat().st_size)
        assert disk.hash_value == hashlib.sha512(path.read_bytes()).hexdigest()


@pytest.mark.skipif(shutil.which("qemu-img") is None, reason="needs qemu-img to make images")
@pytest.mark.parametrize("options", [[], ["-c"], ["-c", "-o", "compression_type=zstd"], ["-o", "cluster_size=512"]])
def test_what_qemu_img_writes_comes_in(tmp_path: Path, options: list[str]) -> None:
    raw, path = tmp_path / "disk.raw", tmp_path / "image.qcow2"
    content = bytearray(9 << 20)
    for _ in range(40):
        at = _RANDOM.randrange(len(content) - 70000)
        content[at : at + 50000] = _RANDOM.randbytes(20000) + b"a" * 30000
    raw.write_bytes(content)
    subprocess.run(["qemu-img", "convert", "-O", "qcow2", *options, raw, path], check=True)
    assert taken(path)[1] == bytes(content)


def test_a_raw_disk_keeps_its_holes_and_gets_new_ones_for_zeros(tmp_path: Path) -> None:
    path, target = tmp_path / "disk", tmp_path / "taken.raw"
    with open(path, "wb") as file:
        file.write(b"boot" + bytes(4 << 20))
        file.seek(300 << 20)
        file.write(b"end".ljust(512))
    shown: list[tuple[int, int]] = []
    disk = importer.import_disk(path, target, "raw", GIB, lambda done, total: shown.append((done, total)))
    assert disk.format == "raw"
    assert disk.virtual_size == path.stat().st_size == target.stat().st_size
    assert target.stat().st_blocks * 512 <= 64 << 10
    assert target.read_bytes() == path.read_bytes()
    assert target.stat().st_mode & 0o777 == 0o400
    assert shown[-1] == (disk.virtual_size, disk.virtual_size)


HOSTILE = {
    "backing": ({"backing": 512}, "it has a backing file"),
    "data file": ({"incompatible": 1 << 2}, "it keeps its data in another file"),
    "corrupt": ({"incompatible": 1 << 1}, "it is marked corrupt"),
    "extended L2": ({"incompatible": 1 << 4}, "it has extended L2 entries"),
    "unknown feature": ({"incompatible": 1 << 40}, "it uses feature 40, which is not known"),
    "encrypted": ({"crypt": 2}, "it is encrypted"),
    "version": ({"version": 9}, "version 9 of qcow2 is not known"),
    "cluster": ({"bits": 60}, "its clusters of 2^60 bytes"),
    "huge L1": ({"l1_size": (1 << 32) - 1}, "its L1 table of 4294967295 entries is larger than"),
    "small L1": ({"disk": 512 << 20}, "its L1 table of 1 entries is too small"),
    "exabyte": ({"disk": 1 << 62}, "its disk of 4611686018427387904 bytes is not between"),
    "no disk": ({"disk": 0}, "its disk of 0 bytes is not between"),
    "odd disk": ({"disk": 1000}, "its disk of 1000 bytes is not a multiple of 512"),
    "short header": ({"header_length": 8}, "its header of 8 bytes is too short"),
    "L1 beyond": ({"l1_at": 1 << 50}, "a L1 table at 1125899906842624 lies beyond the end of the file"),
    "L2 beyond": ({"l1": 1 << 40}, "a L2 table at 1099511627776 lies beyond the end of the file"),
    "data beyond": ({"entries": {0: 1 << 40}}, "a cluster at 1099511627776 lies beyond the end of the file"),
    "askew": ({"entries": {0: DATA_AT + 512}}, "a cluster at 12800 does not begin at a cluster"),
    "twice": ({"entries": {1: DATA_AT, 2: DATA_AT}}, "the cluster at 12288 is used twice"),
    "table as data": ({"entries": {1: 2 * SIZE}}, "the cluster at 8192 is used twice"),
    "beyond the disk": ({"disk": 4 * SIZE, "entries": {9: DATA_AT}}, "it has data beyond the end of the disk"),
    "rubbish packed": ({"entries": {0: 1 << 62 | DATA_AT}}, "a compressed cluster at 12288 does not unpack"),
}


@pytest.mark.parametrize(("options", "said"), HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_qcow2_is_refused_by_what_is_wrong(options: dict, said: str) -> None:
    source, target = os.memfd_create("image"), os.memfd_create("disk")
    try:
        os.write(source, qcow2_files.qcow2({4: b"\xff" * SIZE}, **options))
        with pytest.raises((conversion.Refused, qcow2.Qcow2Error), match=re.escape(said)):
            conversion.convert(source, target, None, GIB)
    finally:
        os.close(source)
        os.close(target)


def test_a_bomb_is_refused_before_it_fills_the_disk(tmp_path: Path) -> None:
    """Many tables that all point at one packed cluster."""
    path, entries = tmp_path / "bomb", 64
    bits, size = 16, 1 << 16
    disk = entries * size * size // 8
    head = qcow2_files.qcow2({}, disk=disk, bits=bits, l1_size=entries, l1_at=size)[:SIZE].ljust(size, b"\0")
    stream = zlib.compress(b"a" * size, 9, wbits=-12)
    data_at = (2 + entries) * size
    entry = 1 << 62 | ((len(stream) - 1) // 512) << (62 - (bits - 8)) | data_at
    l1 = b"".join(((2 + number) * size).to_bytes(8, "big") for number in range(entries)).ljust(size, b"\0")
    table = entry.to_bytes(8, "big") * (size // 8)
    path.write_bytes(head + l1 + table * entries + stream)
    assert "unpacks to more than 200 times its size" in refusal(path, max_size=1 << 40)


@pytest.mark.parametrize(
    ("content", "claimed", "said"),
    [
        (qcow2_files.qcow2(CLUSTERS), "raw", "it is said to be raw but is qcow2"),
        (bytes(1024), "qcow2", "it is said to be qcow2 but is raw"),
        (bytes(1 << 16), "iso", "it is said to be iso but is raw"),
        (b"KDMV" + b"\1\0\0\0" + bytes(2040), None, "is not taken: convert it with"),
        (b"conectix" + bytes(1024), None, "vhd is not taken"),
        (b"", None, "0 bytes are no disk"),
        (bytes(700), None, "700 bytes are no disk"),
        (qcow2_files.qcow2(CLUSTERS)[: DATA_AT + 100], None, "lies beyond the end of the file"),
        (qcow2_files.qcow2(CLUSTERS)[:50], None, ""),
    ],
    ids=["lying raw", "lying qcow2", "lying iso", "vmdk", "vhd", "empty", "odd", "cut off", "cut header"],
)
def test_a_file_that_is_no_disk_or_another_than_it_is_said_to_be(
    tmp_path: Path, content: bytes, claimed: str | None, said: str
) -> None:
    path = tmp_path / "image"
    path.write_bytes(content)
    assert said in refusal(path, claimed)


def test_a_disk_larger_than_allowed_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "image"
    with open(path, "wb") as file:
        file.truncate(2 << 20)
    assert refusal(path, max_size=1 << 20) == "its 2097152 bytes are more than the 1048576 allowed"
    assert "No such file" in refusal_of_missing(tmp_path / "missing")


def refusal_of_missing(path: Path) -> str:
    with pytest.raises(importer.ImportRefused) as caught:
        importer.import_disk(path, path.with_name("target"), None, GIB)
    return str(caught.value)


def test_a_full_store_is_told_and_left_clean(tmp_path: Path) -> None:
    """On a tmpfs of a megabyte, in a mount namespace of its own."""
    small, path = tmp_path / "small", tmp_path / "image"
    small.mkdir()
    path.write_bytes(_RANDOM.randbytes(4 << 20))
    program = (
        "import os, pathlib, sys\nfrom nova_lite.disks import importer\n"
        "try: importer.import_disk(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2], 'd'), None, 1 << 30)\n"
        "except importer.ImportRefused as error: print(error, os.listdir(sys.argv[2]))\n"
    )
    mount = 'mount -t tmpfs -o size=1m small "$1" && exec "$2" -c "$3" "$4" "$1"'
    words = ["unshare", "-m", "sh", "-c", mount, "sh", small, sys.executable, program, path]
    if subprocess.run(["unshare", "-m", "true"], capture_output=True, check=False).returncode:
        pytest.skip("needs the right to make a mount namespace")
    done = subprocess.run(words, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2])
    assert done.stdout == f"{path}: no space left in the image store []\n"


def test_the_reader_has_no_rights_and_no_other_files() -> None:
    """It confines itself before it looks at the image."""
    program = (
        "import os\nfrom nova_lite.disks import conversion\nconversion.confine(1 << 20, 5)\n"
        "try: os.open('/', os.O_RDONLY)\nexcept OSError as error: print(error.strerror)\n"
        "try: os.fork()\nexcept OSError as error: print(error.strerror)\n"
        "print(os.getuid() != 0)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2]
    )
    assert done.stdout.splitlines() == ["Too many open files", "Resource temporarily unavailable", "True"]


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 4 * SIZE), st.binary(min_size=1, max_size=8)), min_size=1, max_size=6),
    st.sampled_from(["", "zlib", "zstd"]),
)
def test_whatever_the_bytes_the_reader_ends_with_its_own_error(changes: list[tuple[int, bytes]], pack: str) -> None:
    image = bytearray(qcow2_files.qcow2(CLUSTERS, pack=pack))
    for at, content in changes:
        image[at : at + len(content)] = content
    descriptor = os.memfd_create("image")
    try:
        os.write(descriptor, image)
        reader = qcow2.Reader(descriptor, 1 << 24)
        assert all(at + len(data) <= reader.header.size for at, data in reader.data())
    except qcow2.Qcow2Error as error:
        assert str(error)
    finally:
        os.close(descriptor)


def test_disks_with_partitions_are_raw() -> None:
    gpt = bytearray(2048)
    gpt[510:512] = b"\x55\xaa"
    gpt[446:462] = bytes([0, 0, 2, 0, 0xEE, 0xFF, 0xFF, 0xFF, 1, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF])
    gpt[512:520] = b"EFI PART"
    assert conversion.recognise(bytes(gpt)) == conversion.recognise(bytes(gpt), "raw") == "raw"


def test_an_iso_may_be_called_iso_or_raw() -> None:
    iso = bytes(0x8000) + b"\x01CD001\x01" + bytes(1 << 16)
    assert conversion.recognise(iso, "iso") == conversion.recognise(iso, "raw") == "raw"
