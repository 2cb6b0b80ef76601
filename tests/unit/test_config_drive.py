"""Config drives: their names in every form that guests read, and when servers have one."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
from pathlib import Path

import pycdlib
import pytest

from nova_lite.compute.config_drives import ConfigDrives
from nova_lite.hv.driver import DriverError
from nova_lite.hv.fake import FakeDriver
from nova_lite.metadata import config_drive
from tests.unit.computing import Computing, eventually

FILES = [
    ("openstack/latest/meta_data.json", b'{"uuid": "1"}'),
    ("openstack/latest/user_data", bytes(range(256)) * 200),
    ("openstack/2012-08-10/meta_data.json", b"{}"),
    ("openstack/content/0000", b""),
    ("ec2/2009-04-04/meta-data.json", b"{}"),
]


def read(drive: bytes, **by: str) -> bytes:
    iso, out = pycdlib.PyCdlib(), io.BytesIO()
    iso.open_fp(io.BytesIO(drive))
    iso.get_file_from_iso_fp(out, **by)
    iso.close()
    return out.getvalue()


@pytest.mark.parametrize("form", ["rr_path", "joliet_path"])
def test_linux_and_windows_find_every_file_by_its_name(form: str) -> None:
    drive = config_drive.image(FILES)
    assert len(drive) % 2048 == 0
    for path, content in FILES:
        assert read(drive, **{form: f"/{path}"}) == content


def test_the_drive_is_found_by_its_label(tmp_path: Path) -> None:
    config_drive.write(tmp_path / "drive", FILES)
    assert [path.name for path in tmp_path.iterdir()] == ["drive"]
    assert (tmp_path / "drive").stat().st_mode & 0o777 == 0o400
    blkid = shutil.which("blkid", path="/usr/sbin:/sbin:/usr/bin:/bin")
    if blkid is None:
        pytest.skip("needs blkid (Debian: util-linux)")
    shown = subprocess.run([blkid, "-p", str(tmp_path / "drive")], capture_output=True, text=True, check=True).stdout
    assert 'LABEL="config-2"' in shown and 'TYPE="iso9660"' in shown


def test_a_server_with_a_drive_keeps_it_until_it_is_deleted(hosting: Computing) -> None:
    driver = FakeDriver(hosting.paths.state / "fake")
    hosting.start_agent(driver)
    made = hosting.running(config_drive=True, user_data="aGk=")
    path = hosting.paths.config_drive(made.uuid)
    assert json.loads(read(path.read_bytes(), rr_path="/openstack/latest/meta_data.json"))["uuid"] == made.uuid
    assert read(path.read_bytes(), rr_path="/openstack/latest/user_data") == b"hi"
    (disk,) = driver.specs[made.uuid].disks
    assert (disk.path, disk.format, disk.readonly, disk.size) == (path, "raw", True, path.stat().st_size)
    before = path.read_bytes()
    hosting.api.reboot(hosting.me, hosting.get(made), hard=True)
    hosting.settled(made, "active")
    assert path.read_bytes() == before
    hosting.api.stop(hosting.me, hosting.get(made))
    hosting.settled(made, "stopped")
    path.unlink()
    hosting.api.start(hosting.me, hosting.get(made))
    hosting.settled(made, "active")
    assert read(path.read_bytes(), rr_path="/openstack/latest/user_data") == b"hi"
    hosting.api.delete(hosting.me, hosting.get(made))
    eventually(lambda: hosting.get(made).deleted, "the server is deleted")
    assert not path.parent.exists()


def test_a_server_without_one_has_none(hosting: Computing) -> None:
    driver = FakeDriver(hosting.paths.state / "fake")
    hosting.start_agent(driver)
    made = hosting.running()
    assert driver.specs[made.uuid].disks == ()
    assert not hosting.paths.config_drive(made.uuid).exists()


def test_what_hinders_a_drive_is_the_servers_fault(hosting: Computing, tmp_path: Path) -> None:
    hosting.conf.set_override("vendordata_jsonfile_path", str(tmp_path / "none.json"), group="api")
    hosting.start_agent(FakeDriver(hosting.paths.state / "fake"))
    made = hosting.settled(hosting.create(config_drive=True), "error")
    assert made.fault is not None
    assert "config drive cannot be made: vendordata_jsonfile_path" in made.fault.message


def test_a_drive_that_does_not_fit_leaves_nothing(computing: Computing) -> None:
    computing.know_host()
    made = computing.create(config_drive=True)
    computing.paths.instances.rmdir()
    computing.paths.instances.write_text("in the way")
    with pytest.raises(DriverError, match="config drive cannot be made: Not a directory"):
        ConfigDrives(computing.conf, computing.database).make(made)
