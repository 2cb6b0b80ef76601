"""Resize, rebuild and rescue on real VMs: a guest that counts its boots on its disk tells which disk it has booted."""

from __future__ import annotations

import os
import shutil

import pytest

from nova_lite.hv.vmm import client
from tests.kvm.test_server_disks import _guest, _hosting, counting, says  # noqa: F401  # fixtures
from tests.kvm.vmm_process import needs_kvm
from tests.unit.computing import Computing

pytestmark = [needs_kvm, pytest.mark.skipif(shutil.which("gcc") is None, reason="this host has no gcc")]


def test_the_disk_of_each_moment_is_the_one_that_it_should_be(hosting: Computing, guest: os.PathLike[str]) -> None:
    api, me = hosting.api, hosting.me
    api.create_flavor(hosting.admin, name="larger", flavorid="larger", vcpus=2, memory_mb=128, root_gb=1)
    made = counting(hosting, guest, "counting-disk")
    other = hosting.paths.state / "other.raw"
    with other.open("wb") as file:
        file.write(b"another image")
        file.truncate(8 << 20)
    image = hosting.store.add("other", guest, "elf64", disk=other, disk_format="raw")
    says(hosting, made, "disk begins with written by host, boots 1\n")

    api.resize(me, hosting.get(made), "larger")
    hosting.settled(made, "resized")
    says(hosting, made, "boots 2\n")
    config = client.request(hosting.paths.vmm_socket(made.uuid), "GET", "vm.info")["config"]
    assert (config["cpus"]["boot_vcpus"], config["memory"]["size"]) == (2, 128 << 20)
    path = hosting.paths.disk(made.uuid, "vda")
    api.revert_resize(me, hosting.get(made))
    hosting.settled(made, "active")
    says(hosting, made, "boots 2\n(?s:.*)boots 2\n")  # what the larger one counted is gone

    api.resize(me, hosting.get(made), "larger")
    hosting.settled(made, "resized")
    api.confirm_resize(me, hosting.get(made))
    hosting.settled(made, "active")
    says(hosting, made, "boots 3\n")
    assert not path.parent.with_name("disks.resize").exists()

    api.rescue(me, hosting.get(made), image.id, False)
    hosting.settled(made, "rescued")
    says(hosting, made, "disk begins with another image, boots 1\n")
    api.unrescue(me, hosting.get(made))
    hosting.settled(made, "active")
    says(hosting, made, "disk begins with written by host, boots 4\n")

    api.rebuild(me, hosting.get(made), image.id, {})
    hosting.settled(made, "active")
    says(hosting, made, "boots 4\n(?s:.*)disk begins with another image, boots 1\n")
