"""Debian's own virtio drivers on our devices: a stock kernel is the judge."""

from __future__ import annotations

import hashlib
import os
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from nova_lite.hv.native import devices
from nova_lite.hv.vmm import loader, tap
from tests.kvm.native_guests import Watched, watched_machines
from tests.nested import guest_initramfs, guest_kernel

MODULES = ("virtio_pci", "virtio_blk", "virtio_net", "virtio-rng")


@pytest.fixture(name="machines")
def _machines() -> Iterator:
    yield from watched_machines()


@pytest.fixture(scope="module")
def initramfs(tmp_path_factory) -> Path:
    file = tmp_path_factory.mktemp("initramfs") / "initramfs"
    file.write_bytes(guest_initramfs.contents(MODULES))
    return file


def boot(machines, initramfs: Path, given: list[devices.Device], run: str, then: str = "poweroff", vcpus=1) -> Watched:
    guest: Watched = machines(memory=256 << 20, vcpus=vcpus)
    for device in given:
        guest.machine.add(device)
    line = f"console=ttyS0 quiet panic=-1 reboot=k {guest_initramfs.command_line(run, then)}"
    loader.load(guest.machine, guest_kernel.kernel().vmlinuz, line, "elf64", initramfs=initramfs)
    guest.machine.start()
    return guest


def finished(guest: Watched) -> str:
    """The console of a guest that must have powered itself off after its command succeeded."""
    (event,) = guest.wait_for_event()
    console = guest.output.decode(errors="replace")
    print(console[-3000:], guest.machine.counters())
    assert event.kind == "shutdown", console
    assert "nl: exit 0" in console, console
    return console


def disk(path: Path, size: int, **rest) -> devices.Disk:
    with path.open("wb") as file:
        file.truncate(size)
    return devices.Disk("disk", os.open(path, os.O_RDWR), **rest)


def test_block_writes_reads_and_tells_its_name(machines, initramfs, tmp_path):
    image = tmp_path / "disk"
    run = (
        "set -e; cat /sys/block/vda/serial; echo; cat /sys/block/vda/size;"
        "dd if=/dev/urandom of=/tmp/data bs=64k count=256; dd if=/tmp/data of=/dev/vda bs=64k conv=fsync;"
        "echo 3 >/proc/sys/vm/drop_caches; dd if=/dev/vda of=/tmp/back bs=4k count=4096;"
        "cmp /tmp/data /tmp/back; md5sum /tmp/data"
    )
    guest = boot(machines, initramfs, [disk(image, 64 << 20, serial="serial-4711", queues=2)], run, vcpus=2)
    console = finished(guest)
    assert "serial-4711" in console and "131072" in console
    assert hashlib.md5(image.read_bytes()[: 16 << 20]).hexdigest() in console
    counters = guest.machine.counters()["disk"]
    assert counters["write_bytes"] >= 16 << 20 and counters["read_bytes"] >= 16 << 20
    assert counters["flush_ops"] >= 1 and counters["errors"] == 0 and counters["broken"] == 0


def test_a_read_only_disk_cannot_be_written(machines, initramfs, tmp_path):
    image = tmp_path / "disk"
    run = "cat /sys/block/vda/ro; dd if=/dev/zero of=/dev/vda count=1 && exit 1; dd if=/dev/vda of=/dev/null"
    assert "\n1" in finished(boot(machines, initramfs, [disk(image, 1 << 20, read_only=True)], run))


def test_discard_gives_the_space_back(machines, initramfs, tmp_path):
    image = tmp_path / "disk"
    given = disk(image, 16 << 20)
    os.pwrite(given.fd, b"x" * (16 << 20), 0)
    before = image.stat().st_blocks
    finished(boot(machines, initramfs, [given], "blkdiscard /dev/vda"))
    assert before >= 32000 and image.stat().st_blocks < 1000


def test_rng_gives_bytes(machines, initramfs):
    random = devices.Rng("rng", os.open("/dev/urandom", os.O_RDONLY))
    run = "cat /sys/class/misc/hw_random/rng_current; dd if=/dev/hwrng of=/tmp/r bs=1024 count=4; test -s /tmp/r"
    guest = boot(machines, initramfs, [random], run)
    assert "virtio_rng.0" in finished(guest)
    assert guest.machine.counters()["rng"]["bytes"] >= 1024


def test_net_pings_and_transfers(machines, initramfs):
    (fd,), name = tap.open_tap(None)
    tap.set_up(name, ip="192.168.77.1", mask="255.255.255.0")
    card = devices.Net("net", (fd,), bytes.fromhex("020000000001"))
    received = bytearray()

    def serve(listener: socket.socket) -> None:
        peer, _ = listener.accept()
        with peer:
            while data := peer.recv(1 << 16):
                received.extend(data)

    with socket.create_server(("192.168.77.1", 7000)) as listener:
        server = threading.Thread(target=serve, args=(listener,), daemon=True)
        server.start()
        run = (
            "set -e; cat /sys/class/net/eth0/address; ip addr add 192.168.77.2/24 dev eth0; ip link set eth0 up;"
            "ping -c 3 192.168.77.1; dd if=/dev/urandom of=/tmp/data bs=64k count=128;"
            "nc 192.168.77.1 7000 </tmp/data; md5sum /tmp/data"
        )
        guest = boot(machines, initramfs, [card], run)
        console = finished(guest)
        server.join(30)
    assert "02:00:00:00:00:01" in console and "3 packets received" in console
    assert len(received) == 8 << 20 and hashlib.md5(received).hexdigest() in console
    assert guest.machine.counters()["net"]["tx_bytes"] > 8 << 20
    os.close(fd)


def test_the_host_pings_a_guest_of_two_queue_pairs_across_pause_and_resume(machines, initramfs):
    fds, name = tap.open_tap(None, pairs=2)
    tap.set_up(name, ip="192.168.78.1", mask="255.255.255.0")
    run = (
        "ip addr add 192.168.78.2/24 dev eth0; ip link set eth0 up;"
        "ls /sys/class/net/eth0/queues; grep virtio /proc/interrupts"
    )
    card = devices.Net("net", tuple(fds), bytes.fromhex("020000000002"))
    guest = boot(machines, initramfs, [card], run, then="wait", vcpus=2)
    guest.wait_for_output(b"nl: exit 0")
    console = guest.output.decode()
    assert all(queue in console for queue in ("rx-0", "tx-0", "rx-1", "tx-1")), console
    assert "virtio0-input.1" in console, console  # the driver has asked for both pairs
    for _ in range(3):
        guest.machine.pause()
        guest.machine.resume()
    subprocess.run(["busybox", "ping", "-c", "3", "-W", "10", "192.168.78.2"], check=True)
    for fd in fds:
        os.close(fd)


def test_vsock_carries_streams_both_ways(machines, tmp_path):
    program, archive, path = tmp_path / "echo", tmp_path / "initramfs", tmp_path / "v"
    source = Path(__file__).with_name("vsock_echo.c")
    subprocess.run(["gcc", "-O1", "-static", "-o", program, source], check=True)
    archive.write_bytes(
        guest_initramfs.contents(("virtio_pci", "vmw_vsock_virtio_transport"), files={"bin/echo-vsock": program})
    )
    payload = os.urandom(1 << 20)
    with socket.socket(socket.AF_UNIX) as clients, socket.socket(socket.AF_UNIX) as services:
        clients.bind(str(path))
        clients.listen()
        clients.setblocking(False)
        services.bind(f"{path}_5000")
        services.listen()
        services.settimeout(60)
        guest = boot(machines, archive, [devices.Vsock("vsock", 3, clients.fileno(), str(path))], "echo-vsock")
        guest.wait_for_output(b"vsock: listening")
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(60)
            client.connect(str(path))
            client.sendall(b"CONNECT 52\n")
            assert client.recv(3) == b"OK "
            while client.recv(1) != b"\n":
                continue
            sender = threading.Thread(target=lambda: (client.sendall(payload), client.shutdown(socket.SHUT_WR)))
            sender.start()
            echo = bytearray()
            while data := client.recv(1 << 16):
                echo += data
            sender.join(60)
        assert echo == payload
        peer, _ = services.accept()
        with peer:
            peer.settimeout(60)
            assert peer.recv(64) == b"hello" and peer.recv(64) == b""
            peer.sendall(b"bye\n")
            finished(guest)


def test_the_balloon_takes_what_it_asked_for_and_what_is_free(machines, tmp_path):
    archive = tmp_path / "initramfs"
    archive.write_bytes(guest_initramfs.contents(("virtio_pci", "virtio_balloon")))
    balloon = devices.Balloon("balloon", 32 << 20, deflate_on_oom=True, free_page_reporting=True)
    run = (
        "while [ $(sed -n s/^balloon_inflate.//p /proc/vmstat) -lt 8192 ]; do sleep 1; done;"
        "dd if=/dev/zero of=/tmp/x bs=1M count=64; rm /tmp/x; sleep 6"
    )
    guest = boot(machines, archive, [balloon], run)
    finished(guest)
    counters = guest.machine.counters()["balloon"]
    assert counters["inflated_bytes"] == 32 << 20 and counters["failed"] == 0
    assert counters["reported_bytes"] >= 32 << 20


def test_the_devices_work_again_after_a_reset(machines, initramfs, tmp_path):
    given = disk(tmp_path / "disk", 1 << 20)
    run = "dd if=/dev/zero of=/dev/vda bs=64k count=16 conv=fsync"
    guest = boot(machines, initramfs, [given], run, then="reboot")
    (event,) = guest.wait_for_event()
    assert event.kind == "reset"
    guest.machine.reset()
    line = f"console=ttyS0 quiet panic=-1 {guest_initramfs.command_line(run)}"
    loader.load(guest.machine, guest_kernel.kernel().vmlinuz, line, "elf64", initramfs=initramfs)
    guest.machine.start()
    finished(guest)
    assert guest.machine.counters()["disk"]["write_bytes"] >= 2 << 20


def test_disks_and_cards_come_and_go_while_linux_runs(machines, initramfs, tmp_path):
    (fd,), name = tap.open_tap(None)
    tap.set_up(name, ip="192.168.79.1", mask="255.255.255.0")
    image = disk(tmp_path / "disk", 8 << 20, serial="came-later")
    run = (
        "set -e; await() { while ! eval $1; do sleep 0.1; done; }; echo ready;"
        "await '[ -b /dev/vda ]'; cat /sys/block/vda/serial; echo;"
        "dd if=/dev/urandom of=/tmp/data bs=64k count=64; dd if=/tmp/data of=/dev/vda bs=64k conv=fsync;"
        "md5sum /tmp/data; await '[ -e /sys/class/net/eth0 ]';"
        "ip addr add 192.168.79.2/24 dev eth0; ip link set eth0 up;"
        "ping -c 3 192.168.79.1; echo used;"
        "await '[ ! -e /sys/block/vda ]'; await '[ ! -e /sys/class/net/eth0 ]'; echo gone;"
        "await '[ -b /dev/vda ]'; md5sum /dev/vda; ls /sys/bus/pci/devices"
    )
    guest = boot(machines, initramfs, [], run, vcpus=2)
    guest.wait_for_output(b"ready")
    slots = [guest.machine.add(image), guest.machine.add(devices.Net("net", (fd,), bytes.fromhex("020000000003")))]
    guest.wait_for_output(b"used")
    assert hashlib.md5((tmp_path / "disk").read_bytes()[: 4 << 20]).hexdigest() in guest.output.decode()
    for slot in slots:
        guest.machine.request_removal(slot)
    while guest.machine.slots():
        events = guest.wait_for_event()
        assert {event.kind for event in events} <= {"eject"}, guest.output
        for slot in guest.machine.ejected():
            guest.machine.remove(slot)
    guest.wait_for_output(b"gone")
    guest.machine.add(image)
    console = finished(guest)
    assert "came-later" in console and "3 packets received" in console
    assert hashlib.md5((tmp_path / "disk").read_bytes()).hexdigest() in console and "0000:00:01.0" in console
    os.close(fd)
