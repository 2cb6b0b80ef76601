"""Linux kernels in the loader: bzImage, unpacked kernels, PVH, initramfs; and hostile ones of each."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import lzma
import os
import shutil
import struct
import subprocess
from pathlib import Path

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from nova_lite.hv.native.lz4 import lz4_block
from nova_lite.hv.vmm import linux_boot, loader, unpack
from nova_lite.hv.vmm.loader import LoaderError
from tests.unit.test_loader import CODE, Memory, elf, segment

MEMORY = 64 << 20
LOAD = 0x1000000


def lz4_literals(data: bytes) -> bytes:
    """The legacy frame, with one block of literals only."""
    length, more = len(data) - 15, b""
    while length >= 255:
        more, length = more + b"\xff", length - 255
    block = b"\xf0" + more + bytes([length]) + data
    return b"\x02\x21\x4c\x18" + struct.pack("<I", len(block)) + block


def vmlinux(**options) -> bytes:
    """An ELF kernel with a PVH entry in a note."""
    note = struct.pack("<III", 4, 8, 18) + b"Xen\0" + struct.pack("<Q", options.pop("pvh_entry", LOAD + 1))
    content = elf(segment(address=LOAD), segment(kind=4, offset=0x110, file_size=len(note)), entry=LOAD, **options)
    return content.ljust(0x110, b"\0") + note


def bzimage(
    inner: bytes | None = None,
    packed: bytes | None = None,
    protocol=0x020F,
    header_size=0x66,
    setup_sectors=1,
    loadflags=1,
    xloadflags=1,
    load_address=LOAD,
    init_size=0x100000,
    cmdline_size=2047,
    initrd_addr_max=0x7FFFFFFF,
    payload_offset=0x210,
    payload_size=None,
    sixteenths=None,
) -> bytes:
    payload = (gzip.compress(inner or vmlinux(), mtime=0) if packed is None else packed) + bytes(4)
    code = (b"\x90" * 0x200 + CODE).ljust(0x210, b"\0") + payload
    code += bytes(-len(code) % 16)
    head = bytearray((setup_sectors + 1) * 512)
    head[0x1F1] = setup_sectors
    struct.pack_into("<I", head, 0x1F4, len(code) // 16 if sixteenths is None else sixteenths)
    struct.pack_into("<H", head, 0x1FE, 0xAA55)
    head[0x200:0x202] = b"\xeb" + bytes([header_size])
    struct.pack_into("<4sH", head, 0x202, b"HdrS", protocol)
    head[0x211] = loadflags
    struct.pack_into("<I", head, 0x22C, initrd_addr_max)
    struct.pack_into("<H", head, 0x236, xloadflags)
    struct.pack_into("<I", head, 0x238, cmdline_size)
    payload_size = len(payload) if payload_size is None else payload_size
    struct.pack_into("<IIQQI", head, 0x248, payload_offset, payload_size, 0, load_address, init_size)
    return bytes(head) + code


@pytest.fixture
def image(tmp_path):
    def write(content: bytes, name: str = "vmlinuz") -> Path:
        path = tmp_path / name
        path.write_bytes(content)
        return path

    return write


def refused(path: Path, memory: Memory | None = None, **options) -> str:
    memory = memory or Memory(MEMORY)
    with pytest.raises(LoaderError) as caught:
        loader.load(memory, path, **options)
    assert memory.parts == {} and memory.start is None, "nothing is loaded unless all is sound"
    sentence = str(caught.value)
    assert str(path.parent) not in sentence and sentence.endswith(".")
    return sentence


# -- bzImage --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("format", [None, "bzimage"])
def test_a_bzimage_starts_at_its_64_bit_entry_with_its_own_header(image, format):
    memory, content = Memory(MEMORY), bzimage(setup_sectors=3)
    assert loader.load(memory, image(content), "quiet", format=format).format == "bzimage"
    assert memory.start == ("long", LOAD + 0x200, linux_boot.BOOT_PARAMS_ADDRESS)
    assert memory.parts[LOAD] == content[4 * 512 :]
    page = memory.parts[linux_boot.BOOT_PARAMS_ADDRESS]
    assert page[0x1F1:0x210] == content[0x1F1:0x210]
    assert page[0x210] == 0xFF and page[0x1EF] == 0
    assert struct.unpack_from("<QQI", page, 0x250) == (0, LOAD, 0x100000)
    (line,) = struct.unpack_from("<I", page, 0x228)
    assert memory.parts[line] == b"quiet\0"


def test_boot_params_hold_nothing_that_we_did_not_decide(image):
    """Pointers that a file's setup header brings along would be followed by the kernel."""
    content = bytearray(bzimage(loadflags=0x81))
    struct.pack_into("<Q", content, 0x250, 0xDEAD0000)  # setup_data
    struct.pack_into("<I", content, 0x214, 0xDEAD0000)  # code32_start
    struct.pack_into("<I", content, 0x228, 0xDEAD0000)  # cmd_line_ptr
    content[0x210] = 0x12  # type_of_loader
    memory = Memory(MEMORY)
    loader.load(memory, image(bytes(content)), "quiet")
    page = memory.parts[linux_boot.BOOT_PARAMS_ADDRESS]
    assert struct.unpack_from("<Q", page, 0x250) == (0,)
    assert struct.unpack_from("<II", page, 0x214) == (LOAD, 0), "code32_start, no ramdisk_image"
    assert struct.unpack_from("<I", page, 0x228) == (linux_boot.CMDLINE_ADDRESS,)
    assert (page[0x210], page[0x211] & 1) == (0xFF, 1)
    assert not any(page[0x0C0:0x0CC]), "ext_ramdisk_image, ext_ramdisk_size, ext_cmd_line_ptr"
    assert page[0x1E8] == len(linux_boot.memory_map(MEMORY)) and not any(page[0x1EA:0x1F1])


def test_what_is_signed_behind_a_bzimage_is_not_loaded(image):
    memory, content = Memory(MEMORY), bzimage()
    loader.load(memory, image(content + b"signature"))
    assert memory.parts[LOAD] == content[1024:]


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"protocol": 0x020B}, "version 2.11 of the boot protocol; 2.12 is the oldest"),
        ({"header_size": 0x20}, "impossible length"),
        ({"header_size": 0xFF}, "impossible length"),
        ({"loadflags": 0}, "a zImage"),
        ({"xloadflags": 0}, "a 32-bit Linux kernel"),
        ({"sixteenths": 0}, "no kernel behind its setup code"),
        ({"sixteenths": 0xFFFFFFFF}, "truncated: its kernel lies beyond its end"),
        ({"load_address": 0}, "wants to be loaded at 0x0"),
        ({"load_address": (1 << 64) - 4096}, "where no kernel can be"),
        ({"load_address": LOAD + 1}, "where no kernel can be"),
        ({"load_address": 0xF0000000}, "needs memory up to"),
        ({"init_size": 0xFFFFFFFF}, "where no kernel can be"),
        ({"init_size": 49 << 20}, "needs memory up to 65 MiB to unpack itself, the server has 64 MiB"),
    ],
)
def test_hostile_bzimages_are_refused_with_the_reason(image, options, reason):
    assert reason in refused(image(bzimage(**options)))


@pytest.mark.parametrize("size", [0x206, 0x28F, 1024, 1024 + 0x200])
def test_truncated_bzimages_are_refused(image, size):
    assert "truncated" in refused(image(bzimage()[:size]))


def test_a_command_line_longer_than_the_kernel_takes_is_refused(image):
    assert "has 300 bytes; 255 are possible" in refused(image(bzimage(cmdline_size=255)), cmdline="x" * 300)
    assert "has 2048 bytes; 2047 are possible" in refused(image(bzimage(cmdline_size=1 << 31)), cmdline="x" * 2048)


# -- the kernel inside ----------------------------------------------------------------------------------------------

PACKERS = {
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "lzma": lambda data: lzma.compress(data, format=lzma.FORMAT_ALONE),
    "lz4": lz4_literals,
    "zstd": zstandard.ZstdCompressor(write_content_size=False).compress,
}


@pytest.mark.parametrize("packer", PACKERS)
def test_the_kernel_inside_of_a_bzimage_can_be_started_without_its_decompressor(image, packer):
    path = image(bzimage(packed=PACKERS[packer](vmlinux())))
    for options in ({"format": "elf64"}, {"unpacked": True}):
        memory = Memory(MEMORY)
        assert loader.load(memory, path, **options).format == "elf64"
        assert memory.start == ("long", LOAD, linux_boot.BOOT_PARAMS_ADDRESS)
        assert memory.parts[LOAD] == CODE
    memory = Memory(MEMORY)
    assert loader.load(memory, path, format="pvh").format == "pvh"
    assert memory.start == ("pvh", LOAD + 1, linux_boot.PVH_START_INFO_ADDRESS)


@pytest.mark.parametrize("packer", PACKERS)
def test_broken_packed_kernels_are_refused(image, packer):
    packed = PACKERS[packer](vmlinux())
    assert f"its {packer} is broken" in refused(image(bzimage(packed=packed[:-9])), format="elf64")
    assert "is no ELF file" in refused(image(bzimage(packed=PACKERS[packer](b"text" * 20))), format="elf64")


def test_unknown_packing_and_impossible_payloads_are_refused(image):
    lzo = refused(image(bzimage(packed=b"\x89LZO\0\r\n\x1a\n" + bytes(99))), format="elf64")
    assert "is packed with lzo" in lzo and "it can be started as bzimage" in lzo
    sentence = refused(image(bzimage(packed=b"\x99LZX\0" + bytes(99))), format="elf64")
    assert "packed in a way unknown here; known are gzip, bzip2, xz, lzma, lz4, zstd." in sentence
    for options in ({"payload_offset": 0xFFFFFFFF}, {"payload_size": 0xFFFFFFFF}, {"payload_size": 4}):
        assert "beyond its end" in refused(image(bzimage(**options)), format="elf64")


@pytest.mark.parametrize("packer", PACKERS)
def test_no_more_than_the_limit_is_ever_unpacked(packer):
    data = os.urandom(1000)
    assert unpack.unpack(PACKERS[packer](data), 1000, "x") == data
    with pytest.raises(LoaderError, match="has more than 0 MiB"):
        unpack.unpack(PACKERS[packer](data), 999, "x")


def unpacked_block(block: bytes, room: int) -> bytes:
    buffer = bytearray(room)
    return bytes(buffer[: lz4_block(block, memoryview(buffer))])


def test_lz4_blocks_with_matches_are_unpacked():
    overlapping = bytes([0x1F, ord("a"), 1, 0, 5, 0x10, ord("b")])  # "a", 24 more of it, "b"
    assert unpacked_block(overlapping, 26) == b"a" * 25 + b"b"
    broken = (b"", b"\x10", b"\x10a\x01", b"\x10a\x00\x00", b"\x10a\x02\x00", b"\xff\xff", overlapping[:-2])
    for block, room in [(overlapping, 25), *((block, 100) for block in broken)]:
        with pytest.raises(ValueError):
            unpacked_block(block, room)


def test_many_small_lz4_blocks_are_no_way_to_much_memory():
    with pytest.raises(LoaderError, match="has more than 16 MiB"):
        unpack.unpack(b"\x02\x21\x4c\x18" + b"\x01\0\0\0\0" * 1_000_000, 16 << 20, "x")


def test_a_zstd_frame_that_wants_a_huge_window_is_refused():
    window = bytes([0b0_00_0_0_000, (20 << 3)])  # 1 GiB; Window_Descriptor of RFC 8878
    with pytest.raises(LoaderError, match="its zstd is broken"):
        unpack.unpack(b"\x28\xb5\x2f\xfd" + window + b"\x01\0\0", 1 << 20, "x")


def test_a_zstd_bomb_ends_at_the_limit():
    bomb = b"\x28\xb5\x2f\xfd" + bytes([0, 0x38]) + b"\x02\0\x10\0" * 10_000  # RLE blocks of 128 KiB
    with pytest.raises(LoaderError, match="has more than 64 MiB"):
        unpack.unpack(bomb, 64 << 20, "x")


def test_a_packed_kernel_larger_than_any_is_not_even_read(image):
    path = image(bzimage(payload_size=129 << 20, sixteenths=(200 << 20) // 16))
    os.truncate(path, 300 << 20)
    assert "a packed kernel of more than 128 MiB" in refused(path, format="elf64")


@pytest.mark.skipif(shutil.which("lz4") is None, reason="this host has no lz4 program")
def test_what_the_lz4_program_packs_is_unpacked():
    data = b"".join(str(number).encode() * (number % 40) for number in range(200_000))
    packed = subprocess.run(["lz4", "-l", "-9", "-c"], input=data, stdout=subprocess.PIPE, check=True).stdout
    assert len(data) > 8 << 20, "more than one block"
    assert unpack.unpack(packed, 256 << 20, "x") == data


@given(st.binary(max_size=200))
@settings(max_examples=300, deadline=None)
def test_no_lz4_block_breaks_out(block):
    with contextlib.suppress(ValueError):
        assert len(unpacked_block(block, 64)) <= 64


# -- PVH ------------------------------------------------------------------------------------------------------------


def test_the_pvh_start_info_tells_memory_modules_command_line_and_tables(image):
    memory = Memory(5 << 30)
    loader.load(memory, image(vmlinux()), "quiet", format="pvh", initramfs=image(b"0707", "initrd.img"))
    info = memory.parts[linux_boot.PVH_START_INFO_ADDRESS]
    magic, version, _, modules, module_at, line, rsdp, areas_at, areas, _ = struct.unpack_from("<IIIIQQQQII", info)
    assert (magic, version, modules, areas) == (0x336EC578, 1, 1, 5)
    base = linux_boot.PVH_START_INFO_ADDRESS
    address, size, _, _ = struct.unpack_from("<QQQQ", info, module_at - base)
    assert size == 4 and memory.parts[address] == b"0707"
    assert memory.parts[line] == b"quiet\0" and memory.parts[rsdp].startswith(b"RSD PTR ")
    found = [struct.unpack_from("<QQII", info, areas_at - base + 24 * index) for index in range(areas)]
    assert found[-1] == (4 << 30, 2 << 30, 1, 0)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (elf(), "no PVH entry point"),
        (vmlinux(pvh_entry=0), "entry point 0x0 outside"),
        (vmlinux(pvh_entry=1 << 63), "outside"),
        (vmlinux()[:-1], "notes that lie beyond its end"),
        (elf(segment(), segment(kind=4, offset=0x100, file_size=3)), "no PVH entry point"),
        (elf(segment(), segment(kind=4, offset=0, file_size=1 << 40)), "notes that lie beyond its end"),
    ],
)
def test_hostile_pvh_notes_are_refused(image, content, reason):
    assert reason in refused(image(content), format="pvh")


@given(st.binary(max_size=120))
@settings(max_examples=200, deadline=None)
def test_no_note_breaks_the_reader(tmp_path_factory, notes):
    path = tmp_path_factory.getbasetemp() / "notes.elf"
    head = elf(segment(address=LOAD), segment(kind=4, offset=0x110, file_size=len(notes)), entry=LOAD)
    path.write_bytes(head.ljust(0x110, b"\0") + notes)
    with pytest.raises(LoaderError):
        loader.check(path, MEMORY, "pvh")


# -- initramfs ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("memory_size", "options", "end"),
    [(MEMORY, {}, MEMORY), (8 << 30, {}, 2 << 30), (MEMORY, {"initrd_addr_max": 0x2FFFFFF}, 0x3000000)],
)
def test_the_initramfs_lies_as_high_as_it_may(image, memory_size, options, end):
    memory, archive = Memory(memory_size), bytes(range(256)) * 20
    loader.load(memory, image(bzimage(**options)), initramfs=image(archive, "initrd.img"))
    address, size = struct.unpack_from("<II", memory.parts[linux_boot.BOOT_PARAMS_ADDRESS], 0x218)
    assert (address, size) == (end - 8192, len(archive))
    assert memory.parts[address] == archive


def test_an_initramfs_that_does_not_fit_beside_the_kernel_is_refused(image):
    big = image(b"", "big.img")
    os.truncate(big, (MEMORY - LOAD - 0x100000) + 1)
    assert "'big.img' of 49283073 bytes does not fit" in refused(image(bzimage()), initramfs=big)
    os.truncate(big, 1 << 40)
    with pytest.raises(LoaderError, match="does not fit"):
        loader.check(image(bzimage()), MEMORY, initramfs=big)


def test_what_is_no_initramfs_is_refused(image, tmp_path):
    kernel = image(bzimage())
    assert refused(kernel, initramfs=tmp_path / "gone") == "The image 'gone' does not exist."
    assert "is a directory, not an initramfs" in refused(kernel, initramfs=tmp_path)
    assert "'empty' is empty" in refused(kernel, initramfs=image(b"", "empty"))
    assert "takes no initramfs" in refused(image(b"\x31\xc0", "flat"), initramfs=image(b"x", "initrd"))


@given(data=st.data())
@settings(max_examples=200, deadline=None)
def test_no_mutation_of_a_bzimage_gets_past_the_checks(tmp_path_factory, data):
    """Either refused with a LoaderError or loaded within memory (``Memory`` checks every write)."""
    content = bytearray(bzimage())
    for _ in range(data.draw(st.integers(1, 6))):
        position = data.draw(st.sampled_from((0x1F1, 0x1F4, 0x201, 0x206, 0x22C, 0x248, 0x24C, 0x258, 0x260)))
        value = data.draw(st.sampled_from((0, 1, 0x7F, 0x80, 0xFF)) | st.integers(0, 255))
        content[position + data.draw(st.integers(0, 3))] = value
    path = tmp_path_factory.getbasetemp() / "mutated.bz"
    path.write_bytes(content[: data.draw(st.integers(0x300, len(content)))])
    memory = Memory(MEMORY)
    try:
        loader.load(memory, path, format=data.draw(st.sampled_from((None, "elf64", "pvh"))))
    except LoaderError:
        assert memory.start is None


def test_a_guest_that_jumps_to_the_reset_vector_finds_a_reset(image):
    memory = Memory(MEMORY)
    loader.load(memory, image(bzimage()))
    assert memory.parts[0xFFFF0] == b"\xb0\xfe\xe6\x64\xf4\xeb\xfd"
    tables = max(address + len(data) for address, data in memory.parts.items() if 0xE0000 <= address < 0xFFFF0)
    assert tables <= 0xFFFF0
