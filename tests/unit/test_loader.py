"""The kernel loader: what it takes, what it refuses by name, and hostile files."""

from __future__ import annotations

import gzip
import lzma
import os
import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nova_lite.hv import guests
from nova_lite.hv.vmm import kernel_file, linux_boot, loader
from nova_lite.hv.vmm.loader import LoaderError

MEMORY = 16 << 20
CODE = b"\xf4\xeb\xfd"


class Memory:
    """Memory to load into, with a machine's bounds; remembers where the vCPU shall start."""

    def __init__(self, memory_size: int = MEMORY) -> None:
        self.memory_size = memory_size
        self.vcpus, self.pvpanic, self.watchdog = 2, False, False
        self.apic_ids = None
        self.parts: dict[int, bytes] = {}
        self.start: tuple[str, int, int] | None = None

    def write_memory(self, gpa: int, data: bytes) -> None:
        assert any(s <= gpa and gpa + len(data) <= s + n for s, n in kernel_file.memory_areas(self.memory_size))
        self.parts[gpa] = bytes(data)

    def set_real_mode(self, address: int) -> None:
        self.start = ("real", address, 0)

    def set_long_mode(self, entry: int, rsi: int = 0) -> None:
        self.start = ("long", entry, rsi)

    def set_pvh(self, entry: int, start_info: int) -> None:
        self.start = ("pvh", entry, start_info)


def segment(kind=1, offset=0x100, address=0x100000, file_size=3, memory_size=0x1000) -> bytes:
    return struct.pack("<IIQQQQQQ", kind, 5, offset, address, address, file_size, memory_size, 0x1000)


def elf(
    *segments: bytes,
    entry=0x100000,
    kind=2,
    machine=62,
    bits=2,
    order=1,
    version=1,
    table=64,
    count=None,
    entry_size=56,
):
    ident = b"\x7fELF" + bytes([bits, order, version]) + bytes(9)
    parts = segments or (segment(),)
    header = struct.pack(
        "<16sHHIQQQIHHHHHH",
        ident, kind, machine, 1, entry, table, 0, 0, 64, entry_size, len(parts) if count is None else count, 0, 0, 0,
    )  # fmt: skip
    return (header + b"".join(parts)).ljust(0x100, b"\0") + CODE


@pytest.fixture
def image(tmp_path):
    def write(content: bytes) -> Path:
        path = tmp_path / "kernel.img"
        path.write_bytes(content)
        return path

    return write


def refused(path: Path, **options) -> str:
    with pytest.raises(LoaderError) as caught:
        loader.load(Memory(), path, **options)
    sentence = str(caught.value)
    assert str(path.parent) not in sentence, "host paths are nobody's business"
    assert sentence.endswith(".")
    return sentence


# -- what is taken --------------------------------------------------------------------------------------------------


def test_an_elf_kernel_is_loaded_where_it_says(image):
    memory = Memory()
    content = elf(segment(), segment(address=0x200000, offset=0x101, file_size=2), entry=0x100001)
    assert loader.load(memory, image(content)).format == "elf64"
    assert memory.parts[0x100000] == CODE
    assert memory.parts[0x200000] == CODE[1:]
    assert memory.start == ("long", 0x100001, linux_boot.BOOT_PARAMS_ADDRESS)


def test_boot_params_tell_memory_and_command_line(image):
    memory = Memory()
    loader.load(memory, image(elf()), "console=ttyS0 quiet")
    page = memory.parts[linux_boot.BOOT_PARAMS_ADDRESS]
    assert (page[0x1FE:0x200], page[0x202:0x208]) == (b"\x55\xaa", b"HdrS\x0f\x02")
    (line,) = struct.unpack_from("<I", page, 0x228)
    assert memory.parts[line] == b"console=ttyS0 quiet\0"
    areas = [struct.unpack_from("<QQI", page, 0x2D0 + 20 * index) for index in range(page[0x1E8])]
    ecam = (0xE0000000, 1 << 20, 2)
    assert areas == [(0, 0x9FC00, 1), (0x9FC00, 0x60400, 2), (0x100000, MEMORY - 0x100000, 1), ecam]
    (rsdp,) = struct.unpack_from("<Q", page, 0x70)
    assert memory.parts[rsdp].startswith(b"RSD PTR ")


def test_memory_above_three_gib_is_announced_at_four(image):
    memory = Memory(5 << 30)
    loader.load(memory, image(elf()))
    page = memory.parts[linux_boot.BOOT_PARAMS_ADDRESS]
    areas = [struct.unpack_from("<QQI", page, 0x2D0 + 20 * index) for index in range(page[0x1E8])]
    assert (areas[2], areas[4]) == ((0x100000, (3 << 30) - 0x100000, 1), (4 << 30, 2 << 30, 1))


@pytest.mark.parametrize("format", [None, "flat16"])
def test_a_flat_binary_is_loaded_at_its_segment(image, format):
    memory = Memory()
    assert loader.load(memory, image(b"\x31\xc0\xe7\x10\x40\xeb\xfb"), format=format).format == "flat16"
    assert memory.parts == {0x10000: b"\x31\xc0\xe7\x10\x40\xeb\xfb"}
    assert memory.start == ("real", 0x10000, 0)


@pytest.mark.parametrize(("path", "format"), [(guests.COUNTING, "flat16"), (guests.INTERACTIVE, "elf64")])
def test_the_shipped_guests_are_recognised_and_may_be_announced(path, format):
    assert loader.check(path, MEMORY) == format
    assert loader.check(path, MEMORY, format) == format


def test_an_open_file_may_be_given_instead_of_a_path(image):
    fd = os.open(image(elf()), os.O_RDONLY)
    assert loader.load(Memory(), "named.elf", fd=fd).format == "elf64"
    os.close(fd)


# -- what is refused by name ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (b"MZ" + bytes(100), "a PE/EFI program"),
        (gzip.compress(elf(), mtime=0), "a gzip file"),
        (lzma.compress(elf()), "an xz file"),
        (b"\x28\xb5\x2f\xfd" + bytes(50), "a zstd file"),
        (b"\x04\x22\x4d\x18" + bytes(50), "an lz4 file"),
        (b"\x02\x21\x4c\x18" + bytes(50), "an lz4 file"),
        (b"QFI\xfb" + bytes(500), "a qcow2 disk image"),
        (b"#!/bin/sh\nreboot\n", "a script"),
        (bytes(0x1FE) + b"\x55\xaa" + bytes(512), "a boot sector or disk image"),
        (b"<html>404 not found</html>\n", "of no format known here"),
        ("Grüße\n".encode(), "of no format known here"),
        (bytes(65537), "of no format known here"),
    ],
)
def test_other_formats_are_refused_by_name(image, content, name):
    sentence = refused(image(content))
    assert sentence.startswith(f"The image 'kernel.img' is {name};")
    assert "can be booted" in sentence


def test_files_that_are_none_are_refused(image, tmp_path):
    assert refused(tmp_path / "gone.elf") == "The image 'gone.elf' does not exist."
    assert "is a directory" in refused(tmp_path)
    assert refused(image(b"")) == "The image 'kernel.img' is empty."
    os.mkfifo(tmp_path / "pipe")
    assert "not a regular file" in refused(tmp_path / "pipe")
    (tmp_path / "kernel.img").unlink()
    (tmp_path / "kernel.img").symlink_to("kernel.img")
    assert "cannot be read" in refused(tmp_path / "kernel.img")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (elf(bits=1), "a 32-bit ELF file"),
        (elf(bits=3), "no known class"),
        (elf(version=0), "no known class or version"),
        (elf(order=2), "big-endian"),
        (elf(machine=183), "an ELF file for AArch64"),
        (elf(machine=0x1234), "machine number 4660"),
        (elf(kind=1), "an object file that was never linked"),
        (elf(kind=3), "a shared object"),
        (elf(kind=4), "a core dump"),
        (elf(kind=999), "of type 999"),
        (elf(segment(), segment(kind=3)), "dynamically linked"),
        (elf(segment(), segment(kind=2)), "dynamically linked"),
        (elf(segment(kind=4)), "nothing to load"),
        (elf(segment(memory_size=0, file_size=0)), "nothing to load"),
        (elf()[:10], "ends within its ELF header"),
        (elf()[:63], "ends within its ELF header"),
        (elf()[:100], "segment table lies beyond its end"),
        (elf()[:-1], "a segment lies beyond its end"),
        (elf(count=0), "announces 0 segments"),
        (elf(count=0xFFFF), "announces 65535 segments"),
        (elf(entry_size=0), "of 0 bytes each"),
        (elf(entry_size=57), "of 57 bytes each"),
        (elf(table=(1 << 64) - 1), "segment table lies beyond its end"),
        (elf(segment(offset=(1 << 64) - 1)), "a segment lies beyond its end"),
        (elf(segment(file_size=0x2000)), "more bytes in the file than in memory"),
        (elf(segment(file_size=1 << 63, memory_size=1 << 63)), "a segment lies beyond its end"),
        (elf(segment(address=0)), "a segment at 0x0"),
        (elf(segment(address=0xFFFFF)), "is set aside"),
        (elf(segment(address=MEMORY - 0xFFF)), "does not fit the server's 16 MiB"),
        (elf(segment(address=(1 << 64) - 1)), "does not fit"),
        (elf(segment(memory_size=(1 << 64) - 1)), "does not fit"),
        (elf(segment(), segment(address=0x100FFF)), "overlap at 0x100fff"),
        (elf(segment(), segment()), "overlap at 0x100000"),
        (elf(entry=0), "entry point 0x0 outside"),
        (elf(entry=0x101000), "entry point 0x101000 outside"),
        (elf(entry=(1 << 64) - 1), "outside"),
    ],
)
def test_hostile_elf_files_are_refused_with_the_reason(image, content, reason):
    assert reason in refused(image(content))


def test_memory_between_three_and_four_gib_does_not_exist(image):
    for address in ((3 << 30) - 0x800, 3 << 30, (4 << 30) - 0x1000):
        with pytest.raises(LoaderError, match="does not fit"):
            loader.check(image(elf(segment(address=address), entry=address)), 8 << 30)
    with pytest.raises(LoaderError, match="above 4 GiB"):
        loader.check(image(elf(segment(address=4 << 30), entry=4 << 30)), 8 << 30)


@pytest.mark.parametrize("format", ["elf64", "pvh"])
def test_an_announced_format_must_be_true(image, format):
    assert "no ELF file" in refused(image(b"\x31\xc0"), format=format)
    assert "no Linux bzImage" in refused(image(b"\x31\xc0"), format="bzimage")
    for announced in ("flat16", "bzimage"):
        assert f"announced as {announced} but is an ELF file" in refused(image(elf()), format=announced)


def test_unknown_formats_and_oversized_flat_binaries_are_refused(image):
    assert "'uimage' is not known" in refused(image(elf()), format="uimage")
    assert "65537 bytes" in refused(image(bytes(65537)), format="flat16")
    with pytest.raises(LoaderError, match="needs memory up to"):
        loader.check(image(b"\xf4" * 4096), 64 << 10, "flat16")


@pytest.mark.parametrize(("cmdline", "reason"), [("x" * 2048, "2048 bytes"), ("a\0b", "NUL")])
def test_impossible_command_lines_are_refused_before_anything_is_loaded(image, cmdline, reason):
    memory = Memory()
    with pytest.raises(LoaderError, match=reason):
        loader.load(memory, image(elf()), cmdline)
    assert memory.parts == {} and memory.start is None


@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_no_mutation_of_an_elf_file_gets_past_the_checks(tmp_path_factory, data):
    """Either refused with a LoaderError or loaded within memory (``Memory`` checks every write)."""
    content = bytearray(elf(segment(), segment(address=0x300000, memory_size=0x10)))
    for _ in range(data.draw(st.integers(1, 6))):
        position = data.draw(st.integers(0, 64 + 2 * 56 - 1))
        content[position] = data.draw(st.sampled_from((0, 1, 0x7F, 0x80, 0xFF)) | st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / "mutated.elf"
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    memory = Memory()
    try:
        loader.load(memory, path)
    except LoaderError:
        assert memory.start is None
