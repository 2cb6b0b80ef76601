"""The block store and its commands: thin files, made whole, kept while a server has them."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from nova_lite import exceptions
from nova_lite.cli.main import main
from nova_lite.db import volumes as db_volumes
from nova_lite.volumes.store import GIB, VolumeStore, copy_with_holes
from tests.unit.computing import HOST, Computing

IMAGE_OF_DISK = "44444444-4444-4444-8444-444444444444"


@pytest.fixture
def computing(tmp_path: Path) -> Iterator[Computing]:
    made = Computing(tmp_path / "state", None)
    yield made
    made.close()


@pytest.fixture
def store(computing: Computing) -> VolumeStore:
    return VolumeStore(computing.database, computing.paths, computing.store, HOST)


def add_image(computing: Computing, tmp_path: Path) -> bytes:
    content = b"boot" * 1024 + bytes(1 << 20) + b"end!" * 1024
    disk, kernel = tmp_path / "disk.raw", tmp_path / "kernel"
    disk.write_bytes(content)
    kernel.write_bytes(b"\xf4" * 16)
    computing.store.add("disk", kernel, "flat16", image_id=IMAGE_OF_DISK, disk=disk, disk_format="raw", min_disk=1)
    return content


def test_an_empty_volume_takes_no_space(store: VolumeStore) -> None:
    made = store.create(10, name="data", project_id="p1")
    found = store.path(made.uuid).stat()
    assert found.st_size == 10 * GIB and found.st_blocks == 0 and found.st_mode & 0o777 == 0o600
    assert (made.status, made.bootable) == ("available", False) and store.list() == [made]


def test_a_volume_of_an_image_begins_with_its_disk(computing: Computing, store: VolumeStore, tmp_path: Path) -> None:
    content = add_image(computing, tmp_path)
    made = store.create(None, project_id="p1", image_id=IMAGE_OF_DISK)
    path = store.path(made.uuid)
    with open(path, "rb") as file:
        assert file.read(len(content)) == content
    assert made.bootable and path.stat().st_size == GIB and path.stat().st_blocks * 512 < len(content) // 2
    computing.store.remove(IMAGE_OF_DISK)  # its kernel is needed as long as the volume is there
    assert (computing.paths.images / IMAGE_OF_DISK).exists()
    store.delete(made.uuid)
    computing.store.purge()
    assert not (computing.paths.images / IMAGE_OF_DISK).exists()


def test_what_cannot_be_a_volume(computing: Computing, store: VolumeStore) -> None:
    for size, image, reason in (
        (None, None, "needs a size"),
        (0, None, "from 1 to"),
        (1 << 20, None, "from 1 to"),
        (1, "no-such-image", "does not exist or has no disk"),
        (1, "11111111-1111-4111-8111-111111111111", "does not exist or has no disk"),
    ):
        with pytest.raises(exceptions.Invalid, match=reason):
            store.create(size, project_id="p1", image_id=image)
    assert store.list() == [] and list(computing.paths.volumes.iterdir()) == []


def test_what_was_cut_off_is_made_again(computing: Computing, store: VolumeStore, tmp_path: Path) -> None:
    content = add_image(computing, tmp_path)
    made = store.create(1, project_id="p1", image_id=IMAGE_OF_DISK)
    store.path(made.uuid).rename(store.path(made.uuid).with_suffix(".new"))
    os.truncate(store.path(made.uuid).with_suffix(".new"), 1000)
    store.make(made)
    store.make(made)
    with open(store.path(made.uuid), "rb") as file:
        assert file.read(len(content)) == content and file.seek(0, os.SEEK_END) == GIB


def test_only_what_nobody_has_is_extended_or_deleted(computing: Computing, store: VolumeStore) -> None:
    made = store.create(1, project_id="p1")
    assert store.extend(made.uuid, 3).size_gb == 3 and store.path(made.uuid).stat().st_size == 3 * GIB
    for size in (3, 1):
        with pytest.raises(exceptions.Invalid, match="must be more"):
            store.extend(made.uuid, size)
    with computing.database.write() as connection:
        db_volumes.update(connection, made.uuid, status="in-use")
    for refused in (lambda: store.extend(made.uuid, 9), lambda: store.delete(made.uuid)):
        with pytest.raises(exceptions.Invalid, match="is in-use"):
            refused()
    with computing.database.write() as connection:
        db_volumes.update(connection, made.uuid, status="available")
    store.delete(made.uuid)
    assert store.list() == [] and not store.path(made.uuid).exists()
    with pytest.raises(exceptions.NotFound):
        store.delete(made.uuid)


def test_holes_stay_holes(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    with open(source, "wb") as file:
        file.truncate(64 << 20)
        os.pwrite(file.fileno(), b"a" * 5000, 1 << 20)
        os.pwrite(file.fileno(), b"b" * 5000, 40 << 20)
    shown: list[tuple[int, int]] = []
    with open(source, "rb") as reader, open(target, "wb+") as writer:
        copy_with_holes(reader.fileno(), writer.fileno(), lambda done, total: shown.append((done, total)))
    assert target.read_bytes() == source.read_bytes() and target.stat().st_blocks <= source.stat().st_blocks
    assert len(shown) == 2 and shown[-1][1] == 64 << 20


def test_the_commands_lead_a_volume_through_its_life(tmp_path: Path) -> None:
    state = str(tmp_path / "state")

    def run(*arguments: str, code: int = 0) -> str:
        done = CliRunner().invoke(main, ["--state-path", state, "volume", *arguments])
        assert done.exit_code == code, done.output
        return done.output

    volume_id = run("create", "data", "--size", "2", "--description", "of the shop").strip().splitlines()[-1]
    (found,) = json.loads(run("list", "--json"))
    assert (found["id"], found["name"], found["status"], found["size_gb"]) == (volume_id, "data", "available", 2)
    assert run("extend", volume_id, "3") == f"Volume {volume_id} has 3 GiB.\n"
    (shown,) = json.loads(run("show", volume_id, "--json"))
    assert shown["size_gb"] == 3 and shown["description"] == "of the shop" and shown["server"] is None
    assert "needs a --size" in run("create", "x", code=2)
    assert "could not be found" in run("show", "nonsense", code=1)
    assert run("delete", volume_id) == f"Deleted {volume_id}.\n"
    assert "No volumes." in run("list")
