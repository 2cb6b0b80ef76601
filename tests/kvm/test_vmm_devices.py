"""Devices of a VmConfig: defaults, refusals, files opened and locked; on machines whose guest does not mind them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from nova_lite.hv.native.machine import Machine
from nova_lite.hv.vmm import config, devices
from nova_lite.hv.vmm.errors import ConfigError, VmmError

KERNEL = {"payload": {"kernel": "/kernel"}}


def document(**parts):
    return config.parse(KERNEL | parts).document


@pytest.fixture(name="machine")
def _machine():
    with Machine(1 << 20, 1, None, 0) as machine:
        yield machine


@pytest.fixture(name="image")
def _image(tmp_path) -> Path:
    image = tmp_path / "image"
    image.write_bytes(bytes(1 << 20))
    return image


def test_a_vsock_listens_and_takes_the_place_of_one_that_is_gone(tmp_path):
    path = tmp_path / "vsock"
    given = document(vsock={"cid": 3, "socket": str(path)})
    for _ in range(2):
        with Machine(1 << 20, 1, None, 0) as machine:
            devices.add_all(machine, given)
            assert machine.counters()["_vsock0"]["connects"] == 0
            with Machine(1 << 20, 1, None, 0) as other, pytest.raises(VmmError) as caught:
                devices.add_all(other, given)
            assert caught.value.chain[1] == "vsock.socket: Address already in use"


def test_what_is_absent_gets_cloud_hypervisors_default():
    found = document(disks=[{"path": "/a"}, {"path": "/b", "readonly": True}], net=[{}], rng={"src": "/dev/urandom"})
    first, second = found["disks"]
    assert first == {
        "id": "_disk0",
        "path": "/a",
        "readonly": False,
        "direct": False,
        "num_queues": 1,
        "queue_size": 128,
        "sparse": True,
        "disable_io_uring": False,
        "image_type": "Unknown",
    }
    assert second["id"] == "_disk1" and second["readonly"] is True
    (card,) = found["net"]
    assert (card["ip"], card["mask"], card["queue_size"]) == ("192.168.249.1", "255.255.255.0", 256)
    assert int(card["mac"][:2], 16) & 3 == 2
    assert found["rng"] == {"src": "/dev/urandom"}


def test_without_devices_there_is_only_the_random_number_generator():
    found = document()
    assert not {"disks", "net", "balloon", "vsock"} & set(found)
    assert found["rng"] == {"src": "/dev/urandom"}  # as Cloud Hypervisor: always there


@pytest.mark.parametrize(
    ("parts", "named"),
    [
        ({"disks": [{}]}, "disks.0.path: is missing"),
        ({"disks": [{"path": "/a"}, {"path": "/b", "color": 1}]}, "disks.1.color: unknown key"),
        ({"disks": [{"path": "/a", "vhost_user": True}]}, "disks.0.vhost_user: is not supported yet"),
        ({"disks": [{"path": "/a", "queue_size": 100}]}, "disks.0.queue_size"),
        ({"disks": [{"path": "/a", "num_queues": 0}]}, "disks.0.num_queues"),
        ({"disks": [{"path": "/a", "image_type": "Qcow2"}]}, "disks.0.image_type"),
        ({"disks": [{"path": "/a", "id": "x"}, {"path": "/b", "id": "x"}]}, "'x' is given to two devices"),
        ({"disks": [{"path": "/a", "rate_limiter_config": {"ops": {"size": 1}}}]}, "refill_time: is missing"),
        ({"disks": [{"path": "/a", "serial": "x" * 21}]}, "disks.0.serial"),
        ({"net": [{"mac": "01:00:00:00:00:01"}]}, "a group's address"),
        ({"net": [{"mac": "nonsense"}]}, "net.0.mac"),
        ({"net": [{"ip": "1.2.3.400"}]}, "net.0.ip: '1.2.3.400' is not an IPv4 address"),
        ({"net": [{"tap": "t0", "mask": "255.0.0.0"}]}, "net.0.mask: needs ip"),
        ({"net": [{"tap": "a/b"}]}, "net.0.tap"),
        ({"net": [{"num_queues": 3}]}, "net.0.num_queues"),
        ({"net": [{"fds": [5]}]}, "net.0.fds: descriptors come from who starts the VMM"),
        ({"vsock": {"cid": 2, "socket": "/v"}}, "vsock.cid"),
        ({"vsock": {"cid": 3}}, "vsock.socket: is missing"),
        ({"vsock": {"cid": 3, "socket": "v"}}, "vsock.socket: 'v' is not an absolute path"),
        ({"vsock": {"cid": 3, "socket": "/v", "id": "x"}, "disks": [{"path": "/a", "id": "x"}]}, "two devices"),
        ({"balloon": {}}, "balloon.size: is missing"),
        ({"balloon": {"size": 1}}, "balloon.size"),
        ({"rng": {"src": "urandom"}}, "rng.src: 'urandom' is not an absolute path"),
    ],
)
def test_bad_devices_are_refused_by_name(parts, named):
    with pytest.raises(ConfigError) as caught:
        document(**parts)
    assert named in "; ".join(caught.value.chain)


def test_devices_are_counted_by_their_ids(machine, image):
    given = document(disks=[{"path": str(image)}, {"path": "/dev/null", "id": "never"}], rng={"src": "/dev/urandom"})
    given["disks"].pop()
    devices.add_all(machine, given)
    counters = machine.counters()
    assert counters["_disk0"]["read_ops"] == 0 and counters["__rng"]["bytes"] == 0


def test_a_disk_is_locked_while_its_machine_lives(image):
    writer, reader = {"path": str(image)}, {"path": str(image), "readonly": True}
    with Machine(1 << 20, 1, None, 0) as first, Machine(1 << 20, 1, None, 0) as second:
        devices.add_all(first, document(disks=[reader]))
        devices.add_all(second, document(disks=[reader]))
        with Machine(1 << 20, 1, None, 0) as third, pytest.raises(VmmError) as caught:
            devices.add_all(third, document(disks=[writer]))
    assert caught.value.chain[1] == "disks.0.path: is in use by another machine"
    with Machine(1 << 20, 1, None, 0) as fourth:
        devices.add_all(fourth, document(disks=[writer]))


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/nonexistent", "No such file or directory"),
        ("/dev/null", "is neither a file nor a block device"),
        ("/etc", "directory"),
    ],
)
def test_what_is_no_disk_is_refused(machine, path, reason):
    with pytest.raises(VmmError) as caught:
        devices.add_all(machine, document(disks=[{"path": path}]))
    assert reason in caught.value.chain[1] and caught.value.chain[1].startswith("disks.0.path: ")


@pytest.mark.parametrize("direct", [False, True])
@pytest.mark.parametrize(
    ("offset", "magic", "name"),
    [
        (0, b"QFI\xfb", "qcow2"),
        (0, b"KDMV", "VMDK"),
        (0, b"vhdxfile", "VHDX"),
        (0, b"conectix", "VHD"),
        (0x40, b"\x7f\x10\xda\xbe", "VDI"),
    ],
)
def test_an_image_of_another_format_reaches_no_guest_unless_that_is_said(machine, image, offset, magic, name, direct):
    with image.open("r+b") as file:
        file.seek(offset)
        file.write(magic)
    disk = {"path": str(image), "direct": direct}
    for given in (disk, disk | {"image_type": "Unknown"}):
        with pytest.raises(VmmError) as caught:
            devices.add_all(machine, document(disks=[given]))
        assert caught.value.status == 400
        assert caught.value.chain[1].startswith(f"disks.0.path: looks like a {name} image")
        assert 'image_type "Raw"' in caught.value.chain[1] and "qemu-img convert" in caught.value.chain[1]
    devices.add_all(machine, document(disks=[disk | {"image_type": "Raw"}]))


def test_formats_that_cannot_be_read_are_not_promised():
    with pytest.raises(ConfigError) as caught:
        document(disks=[{"path": "/d", "image_type": "Qcow2"}])
    assert caught.value.chain[1] == "disks.0.image_type: 'Qcow2' is not one of Raw, Unknown, Overlay"


def test_no_descriptor_is_left_behind(image):
    def count() -> int:
        return len(os.listdir("/proc/self/fd"))

    def once() -> None:
        with Machine(1 << 20, 1, None, 0) as machine:
            devices.add_all(machine, document(disks=[{"path": str(image)}], rng={"src": "/dev/urandom"}))

    once()
    before = count()
    once()
    assert count() == before
