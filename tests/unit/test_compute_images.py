"""The image store: what is added is complete or not there, and survives its source."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from pathlib import Path

import pytest

from nova_lite import exceptions
from nova_lite.db.times import now
from tests.unit import qcow2_files
from tests.unit.computing import BAD_IMAGE, IMAGE, UNSTARTABLE_IMAGE, Computing
from tests.unit.test_loader_linux import bzimage

NEW = "44444444-4444-4444-8444-444444444444"


def test_an_added_kernel_is_a_copy(computing: Computing, tmp_path: Path) -> None:
    source = tmp_path / "counting"
    source.write_bytes(b"\xf4\xeb\xfd\x90")
    added = computing.store.add("counting", source, "flat16", cmdline="", properties={"os": "x"}, min_ram=8)
    source.write_bytes(b"changed")
    assert computing.store.kernel(added).read_bytes() == b"\xf4\xeb\xfd\x90"
    assert computing.store.initramfs(added) is None
    assert computing.api.get_image(computing.me, added.id) == added
    assert (added.size, added.status, added.visibility, added.min_ram) == (4, "active", "public", 8)
    assert added in computing.store.list()
    computing.store.remove(added.id)
    assert not computing.store.kernel(added).parent.exists()
    for question in (lambda: computing.api.get_image(computing.me, added.id), lambda: computing.store.remove(added.id)):
        with pytest.raises(exceptions.NotFound, match=f"Image {added.id} could not be found"):
            question()


@pytest.mark.parametrize("initramfs_name", ["initrd.img", "vmlinuz"])
def test_a_linux_image_has_its_format_initramfs_and_command_line(
    computing: Computing, tmp_path: Path, initramfs_name: str
) -> None:
    kernel, initramfs = tmp_path / "vmlinuz", tmp_path / "other" / initramfs_name
    kernel.write_bytes(bzimage())
    initramfs.parent.mkdir()
    initramfs.write_bytes(b"070701")
    added = computing.store.add("linux", kernel, initramfs=initramfs, cmdline="console=ttyS0")
    found = computing.api.get_image(computing.me, added.id)
    assert (found, found.kernel_format, found.cmdline) == (added, "bzimage", "console=ttyS0")
    assert found.size == len(bzimage()) + 6
    initramfs.unlink()
    stored = computing.store.initramfs(found)
    assert stored is not None
    assert (stored.read_bytes(), computing.store.kernel(found).read_bytes()) == (b"070701", bzimage())


def test_what_could_not_boot_is_refused_with_the_loaders_sentence(computing: Computing, tmp_path: Path) -> None:
    linux, packed, archive = tmp_path / "vmlinuz", tmp_path / "vmlinuz.gz", tmp_path / "initrd"
    linux.write_bytes(bzimage())
    packed.write_bytes(b"\x1f\x8b" * 99)
    archive.write_bytes(bytes(2 << 20))
    for arguments, options, said in [
        ((packed,), {}, r"The image 'vmlinuz\.gz' is a gzip file; only Linux kernels"),
        ((linux,), {"initramfs": tmp_path / "none"}, "The image 'none' does not exist"),
        ((linux,), {"initramfs": archive, "min_ram": 2}, "memory"),
        ((linux,), {"cmdline": "x" * 2048}, "The kernel command line has 2048 bytes; 2047 are possible"),
        ((linux,), {"properties": {"os_shutdown_timeout": "-1"}}, "os_shutdown_timeout '-1' is no number of seconds"),
    ]:
        with pytest.raises(exceptions.Invalid, match=said):
            computing.store.add("n", *arguments, **options)  # type: ignore[arg-type]
    assert len(computing.store.list()) == 3


def test_what_cannot_be_added_leaves_nothing(computing: Computing, tmp_path: Path) -> None:
    kernel = tmp_path / "kernel"
    before = sorted(path.name for path in computing.paths.images.iterdir())
    with pytest.raises(exceptions.Invalid, match="The image 'kernel' does not exist"):
        computing.store.add("n", kernel, "flat16")
    with pytest.raises(exceptions.Invalid, match="is a directory, not a kernel"):
        computing.store.add("n", tmp_path, "flat16")
    kernel.write_bytes(b"x")
    with pytest.raises(exceptions.Invalid, match="The kernel format 'iso' is not known; use one of flat16, elf64"):
        computing.store.add("n", kernel, "iso")
    with pytest.raises(exceptions.Invalid, match="visibility 'shared'"):
        computing.store.add("n", kernel, "flat16", visibility="shared")
    with pytest.raises(exceptions.Invalid, match="exists already"):
        computing.store.add("n", kernel, "flat16", image_id=IMAGE)
    assert sorted(path.name for path in computing.paths.images.iterdir()) == before
    assert len(computing.store.list()) == 3


def test_an_add_that_was_cut_off_does_not_stand_in_the_way(computing: Computing, tmp_path: Path) -> None:
    for half in (computing.paths.images / NEW, computing.paths.images / f"{NEW}.new"):
        half.mkdir()
        (half / "half").write_bytes(b"ha")
    kernel = tmp_path / "kernel"
    kernel.write_bytes(b"whole")
    added = computing.store.add("n", kernel, "flat16", image_id=NEW)
    assert [path.name for path in computing.store.kernel(added).parent.iterdir()] == ["kernel"]


def test_lists_filter_and_page_over_what_the_caller_may_boot(computing: Computing) -> None:
    api, me, kernel = computing.api, computing.me, computing.paths.state / "good.bin"
    properties = {"a": "1", "b": "2"}
    computing.store.add("mine", kernel, "flat16", visibility="private", project_id="p1", properties=properties)
    computing.store.add("theirs", kernel, "flat16", visibility="private", project_id="p2", image_id=NEW)
    everything = api.list_images(me)
    assert [image.name for image in everything] == ["good", "bad", "nostart", "mine"]
    assert [image.name for image in api.list_images(computing.admin)][-2:] == ["mine", "theirs"]
    assert api.list_images(me, limit=2, marker=everything[0].id) == everything[1:3]
    for filters, names in [
        ({"name": "bad"}, ["bad"]),
        ({"visibility": "private"}, ["mine"]),
        ({"properties": {"a": "1"}}, ["mine"]),
        ({"properties": {"a": "2"}}, []),
        ({"size_min": 4, "size_max": 4}, ["good", "mine"]),
        ({"changes_since": now() + timedelta(hours=1)}, []),
        ({"status": "active", "min_ram": 0}, ["good", "bad", "nostart", "mine"]),
    ]:
        assert [image.name for image in api.list_images(me, filters=filters)] == names, filters
    with pytest.raises(exceptions.Invalid, match=r"marker \[nope\] not found"):
        api.list_images(me, marker="nope")
    with pytest.raises(exceptions.Invalid, match="Invalid filter field: nope"):
        api.list_images(me, filters={"nope": 1})
    with pytest.raises(exceptions.NotFound):
        api.get_image(me, NEW)
    assert {BAD_IMAGE, UNSTARTABLE_IMAGE} <= {image.id for image in everything}


def test_an_images_disk_is_kept_raw_and_one_that_lies_leaves_nothing(computing: Computing, tmp_path: Path) -> None:
    kernel, disk = tmp_path / "vmlinuz", tmp_path / "root.qcow2"
    kernel.write_bytes(bzimage())
    disk.write_bytes(qcow2_files.qcow2({3: b"d" * qcow2_files.SIZE}))
    added = computing.store.add("linux", kernel, disk=disk, disk_format="qcow2", min_disk=1)
    found = computing.api.get_image(computing.me, added.id)
    assert found == added
    assert (found.disk_format, found.virtual_size, found.min_disk) == ("qcow2", 64 * qcow2_files.SIZE, 1)
    assert found.size == len(bzimage()) + disk.stat().st_size
    assert (found.os_hash_algo, found.os_hash_value) == ("sha512", hashlib.sha512(disk.read_bytes()).hexdigest())
    stored = computing.store.disk(found)
    assert stored is not None
    assert stored.read_bytes() == qcow2_files.disk_of({3: b"d" * qcow2_files.SIZE})
    before = sorted(path.name for path in computing.paths.images.iterdir())
    for options, said in [
        ({"disk_format": "raw"}, "it is said to be raw but is qcow2"),
        ({"max_disk_size": 4096}, "its disk of 262144 bytes is not between 1 and 4096 bytes"),
    ]:
        with pytest.raises(exceptions.Invalid, match=said):
            computing.store.add("n", kernel, disk=disk, **options)  # type: ignore[arg-type]
    (tmp_path / "disk.raw").write_bytes(bzimage())
    with pytest.raises(exceptions.Invalid, match=r"cannot have the name disk\.raw"):
        computing.store.add("n", tmp_path / "disk.raw", disk=disk)
    assert sorted(path.name for path in computing.paths.images.iterdir()) == before
    computing.store.remove(found.id)
    assert not stored.exists()
