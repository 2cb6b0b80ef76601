"""Disks of servers under the kvm driver: made once, kept through every verb, gone with the server, faults named."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from nova_lite.disks import overlay
from nova_lite.hv import server_disks
from nova_lite.hv.driver import DiskSpec, DriverError, MachineSpec, PowerState
from nova_lite.hv.kvm import KvmDriver
from nova_lite.paths import Paths
from tests.kvm import disk_guest
from tests.kvm.vmm_process import INTERACTIVE, needs_kvm

pytestmark = needs_kvm

SIZE = 8 << 20


@pytest.fixture(name="driver")
def _driver(tmp_path: Path) -> Iterator[KvmDriver]:
    driver = KvmDriver(Paths(tmp_path))
    driver.start(lambda event: None)
    yield driver
    for machine in driver.list():
        driver.destroy(machine.uuid)
    driver.close()


@pytest.fixture(name="base")
def _base(tmp_path: Path) -> Path:
    base = tmp_path / "disk.raw"
    base.write_bytes(b"base" * 5000)
    base.chmod(0o400)
    return base


@pytest.fixture(name="spec")
def _spec(tmp_path: Path, base: Path) -> MachineSpec:
    """A root disk over an image, a swap disk, and somebody else's raw one."""
    paths, identity, volume = Paths(tmp_path), str(uuid.uuid4()), tmp_path / "volume"
    volume.write_bytes(bytes(1 << 20))
    disks = (
        DiskSpec("vda", paths.disk(identity, "vda"), SIZE, backing=base, serial="root-of-it", boot_index=0),
        DiskSpec("vdb", paths.disk(identity, "vdb"), SIZE, head=b"swap"),
        DiskSpec("vdc", volume, 1 << 20, "raw", readonly=True),
    )
    return MachineSpec(identity, "disks", 1, 64, INTERACTIVE, "elf64", disks=disks)


def test_disks_are_made_once_and_stay_until_the_server_goes(driver, spec, base, tmp_path):
    driver.prepare(spec)
    root, swap = (disk.path for disk in spec.disks[:2])
    with overlay.open_view(root, base) as view:
        assert view.size == SIZE and view.read(0, 4) == b"base" and view.usage().written == 0
    with overlay.open_view(swap) as view:
        assert view.size == SIZE and view.read(0, 8192) == b"swap".ljust(8192, b"\0")
    made = [(path, path.stat().st_ino, path.read_bytes()[:4096]) for path in (root, swap)]
    for verb in (
        driver.prepare,
        driver.power_on,
        driver.power_on,
        lambda spec: driver.reboot(spec, hard=False),
        lambda spec: driver.reboot(spec, hard=True),
        lambda spec: driver.power_off(spec.uuid),
        driver.prepare,
        driver.power_on,
    ):
        verb(spec)
        assert made == [(path, path.stat().st_ino, path.read_bytes()[:4096]) for path in (root, swap)]
    assert {"vda", "vdb", "vdc"} <= set(driver.counters(spec.uuid))
    driver.destroy(spec.uuid)
    driver.destroy(spec.uuid)
    assert not root.parent.parent.exists()
    assert base.exists() and (tmp_path / "volume").exists(), "what is not the server's own stays"


def test_an_overlay_that_was_cut_off_while_it_was_made_is_made_again(driver, spec):
    root = spec.disks[0].path
    root.parent.mkdir(parents=True)
    Path(f"{root}.new").write_bytes(b"half of i")
    driver.prepare(spec)
    assert driver.power_on(spec).power_state is PowerState.RUNNING
    assert sorted(path.name for path in root.parent.iterdir()) == ["vda.overlay", "vdb.overlay"]


def test_a_disk_that_is_missing_is_not_replaced_by_an_empty_one(driver, spec):
    driver.prepare(spec)
    spec.disks[0].path.unlink()
    with pytest.raises(DriverError, match="disk vda is missing on its host. It is not replaced by an empty one"):
        driver.power_on(spec)
    assert driver.info(spec.uuid).pid == 0
    with pytest.raises(DriverError, match="disk vdc is missing"):
        driver.prepare(replace(spec, disks=(replace(spec.disks[2], path=Path("/nonexistent")),)))


def test_a_base_that_is_missing_or_changed_is_named_without_files_of_the_host(driver, spec, base, tmp_path):
    driver.prepare(spec)
    aside = base.rename(tmp_path / "aside")
    with pytest.raises(DriverError, match="The image that the server's disk vda is made of is missing") as missing:
        driver.power_on(spec)
    shutil.copy(aside, base)
    base.chmod(0o600)
    with base.open("r+b") as file:
        file.write(b"x")
    with pytest.raises(DriverError, match="disk vda cannot be used: The base of vda is another one") as changed:
        driver.power_on(spec)
    for caught in (missing, changed):
        assert str(tmp_path) not in str(caught.value)
    base.unlink()
    aside.rename(base)
    assert driver.power_on(spec).power_state is PowerState.RUNNING


def test_a_damaged_disk_and_one_too_small_for_its_image_are_named(driver, spec):
    root = spec.disks[0]
    with pytest.raises(DriverError, match="disk vda cannot be made: A disk of 512 bytes is too small for its base"):
        driver.prepare(replace(spec, disks=(replace(root, size=512),)))
    driver.prepare(spec)
    with root.path.open("r+b") as file:
        file.write(b"junk")
    with pytest.raises(DriverError, match="disk vda cannot be used: vda is not an overlay"):
        driver.power_on(spec)


FULL = """
import sys, uuid
from pathlib import Path
from nova_lite.conf import Paths
from nova_lite.hv import server_disks
from nova_lite.hv.driver import DiskSpec, DriverError, MachineSpec
from nova_lite.hv.guests import FOLDER
from nova_lite.hv.kvm import KvmDriver
disk = DiskSpec("vda", Path(sys.argv[1], "disks", "vda.overlay"), 1 << 40)
try:
    server_disks.make(disk)
except DriverError as error:
    print(error, sorted(Path(sys.argv[1], "disks").iterdir()))
try:
    spec = MachineSpec(str(uuid.uuid4()), "full", 1, 64, FOLDER / "counting.bin", "flat16")
    KvmDriver(Paths(Path(sys.argv[1]))).prepare(spec)
except DriverError as error:
    print(error)
"""


needs_mounts = pytest.mark.skipif(
    shutil.which("unshare") is None
    or subprocess.run(["unshare", "-rm", "true"], capture_output=True, check=False).returncode != 0,
    reason="this host allows no mount namespace",
)


def on_a_small_disk(folder: Path, size: str, script: str, *arguments: str | Path) -> str:
    """What a Python script prints that gets a file system of that size at ``folder`` as its first argument."""
    folder.mkdir()
    line = 'mount -t tmpfs -o size="$2" none "$1" && folder="$1" && shift 2 && exec "$@" "$folder"'
    command: list[str | Path] = ["unshare", "-rm", "sh", "-c", line, "sh", folder, size, sys.executable, "-c", script]
    done = subprocess.run([*command, *arguments], capture_output=True, text=True, env=dict(os.environ), timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


@needs_mounts
def test_a_host_that_is_full_says_so_and_leaves_nothing(tmp_path):
    said = "cannot be made: the host has no space left for it. Ask its administrator to free some, then create"
    assert on_a_small_disk(tmp_path / "full", "64k", FULL).splitlines() == [
        f"The server's disk vda {said} the server again. []",
        f"The VM's folder {said} the server again.",
    ]


GROWING = """
import os, subprocess, sys, time, uuid
from pathlib import Path
from nova_lite.paths import Paths
from nova_lite.hv.driver import DiskSpec, MachineSpec
from nova_lite.hv.kvm import KvmDriver
guest, state = sys.argv[1:]
driver, paths, server = KvmDriver(Paths(state)), Paths(state), str(uuid.uuid4())
driver.start(lambda event: None)
disk = DiskSpec("vda", paths.disk(server, "vda"), 64 << 20)
spec = MachineSpec(server, "full", 1, 64, Path(guest), "elf64", disks=(disk,))

def said(text):
    deadline = time.monotonic() + 60
    while text not in driver.console_output(server, 65536):
        assert time.monotonic() < deadline, driver.console_output(server, 65536)
        time.sleep(0.01)

try:
    driver.prepare(spec)
    driver.power_on(spec)
    said(b"refused with status 1")
    print(driver.console_output(server, 65536).decode(), driver.info(server).power_state.name)
    subprocess.run(["mount", "-o", "remount,size=64m", state], check=True)
    driver.reboot(spec, hard=True)
    said(b"all is written")
    print(driver.console_output(server, 65536).decode().partition("refused with status 1")[2])
finally:
    driver.destroy(server)
    driver.close()
"""


@needs_mounts
@pytest.mark.skipif(shutil.which("gcc") is None, reason="this host has no gcc")
def test_a_host_that_fills_up_while_a_guest_writes_gives_it_errors_and_nothing_is_lost(tmp_path):
    guest = disk_guest.build(tmp_path / "guest.elf", write_mib=16)

    said = on_a_small_disk(tmp_path / "s", "4m", GROWING, guest)
    first, _, after = said.partition("RUNNING")
    assert "boots 1\nrequest refused with status 1\n" in first, "an I/O error, and the server goes on"
    assert "refused" not in after and "boots 2\nall is written" in after, "with room again, all can be written"


def test_vm_configs_say_what_each_disk_is(spec, base):
    root, swap, volume = map(server_disks.vm_config, spec.disks)
    assert root == {
        "id": "vda",
        "path": str(spec.disks[0].path),
        "readonly": False,
        "image_type": "Overlay",
        "backing_file": str(base),
        "serial": "root-of-it",
    }
    assert swap["image_type"] == "Overlay" and "backing_file" not in swap
    assert (volume["image_type"], volume["readonly"]) == ("Raw", True)


HIT = """
import subprocess, sys
from pathlib import Path
from nova_lite.compute.agent import make_driver
from nova_lite.compute.images import DISK
from nova_lite.db import images as db_images
from tests.unit.computing import Computing, eventually
guest, state = sys.argv[1:]
hosting = Computing(Path(state), None, compute={"space_check_interval": 0.2})
image = hosting.store.add("writing", Path(guest), "elf64").id
with open(hosting.store.folder(image) / DISK, "wb") as file:  # in this namespace no process that reads disks can run
    file.truncate(64 << 20)
with hosting.database.write() as connection:
    db_images.update(connection, image, disk=DISK, disk_format="raw", virtual_size=64 << 20)
hosting.start_agent(make_driver(hosting.conf))
try:
    server = hosting.running(image_ref=image, flavor_ref="42")
    eventually(lambda: hosting.get(server).vm_state == "error", "the server says so")
    found = hosting.get(server)
    print(found.fault.message)
    assert found.power_state == 1
    hosting.api.update(hosting.me, found, name="told of all the same")
    subprocess.run(["mount", "-o", "remount,size=256m", state], check=True)
    eventually(lambda: hosting.get(server).vm_state == "active", "there is room")
    print(hosting.get(server).fault)
    hosting.api.delete(hosting.me, hosting.get(server))
    hosting.becomes(server, "deleted")
finally:
    hosting.close()
"""


@needs_mounts
def test_a_server_whose_host_is_full_says_so_until_there_is_room(tmp_path):
    guest = disk_guest.build(tmp_path / "writing.elf", write_mib=48)
    said = on_a_small_disk(tmp_path / "s", "40m", HIT, guest).splitlines()  # the database is on it as well
    assert said[0].startswith("The host has no space left: the guest gets I/O errors")
    assert said[1] == "None"
