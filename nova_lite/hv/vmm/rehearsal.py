"""Whole lives of a VM rehearsed in the zygote, so that no VMM pays for what the first run of code costs.

CPython 3.11 rewrites the code it runs (PEP 659), fills caches beside it, and much is made on first use and kept. Done
before the forks, the pages stay shared; done in a VMM, each page is a copy in every one of them (bench/vmm_memory.py).
"""

from __future__ import annotations

import gc
import logging
import os
import signal
import socket
import tempfile
import threading
from pathlib import Path
from typing import Any

import orjson

from nova_lite.disks import overlay
from nova_lite.hv import console_log
from nova_lite.hv.guests import INTERACTIVE
from nova_lite.hv.vmm import acpi, config, loader, unix_socket
from nova_lite.hv.vmm.api_socket import ApiSocket
from nova_lite.hv.vmm.errors import VmmError
from nova_lite.hv.vmm.server import Server

LOG = logging.getLogger(__name__)

#: CPython adapts code at its eighth run; a few more let the adapted forms settle.
RUNS = 12
#: ACPI tables depend on the number of vCPUs only; those of common machines are ready before the fork.
COMMON_VCPUS = (1, 2, 4)
_PATIENCE = 10.0
_LOG_SIZE = 131072
_DISK_SIZE = 1 << 20
#: A card is read but not made: there is no tap to make it of.
_CARD = {"id": "card", "mac": "02:00:00:00:00:01", "num_queues": 2, "fds": [3], "mtu": 1500}
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def run() -> None:
    """Boot the shipped guest, ask for it over REST as the driver does and end it, several times.

    Leaves neither thread nor descriptor nor signal handler behind. Without KVM nothing can be rehearsed, nor run.
    """
    for vcpus in COMMON_VCPUS:
        acpi.build(vcpus, True, False, None)  # the very call of linux_boot, for the cache
    handlers = {number: signal.getsignal(number) for number in _SIGNALS}
    try:
        with tempfile.TemporaryDirectory(prefix="nova-lite-rehearsal-") as folder:
            for _ in range(RUNS):
                _live(Path(folder))
    except (VmmError, OSError) as error:
        LOG.warning("VMMs need more memory each, for nothing could be rehearsed: %s", error)
    for number, handler in handlers.items():
        signal.signal(number, handler)
    for thread in threading.enumerate():
        if thread is not threading.main_thread():  # of a connection that has had its answer
            thread.join(_PATIENCE)
    gc.collect()  # servers and their parts refer to one another, and some hold descriptors


def _live(folder: Path) -> None:
    path = folder / "vmm.sock"
    document = _config(folder)
    config.parse(document | {"net": [_CARD]}, with_descriptors=True)
    server = Server(ApiSocket(path))
    client = threading.Thread(target=_ask, args=(path,))
    try:
        server.boot(config.parse(orjson.loads(orjson.dumps(document)), with_descriptors=True))
        client.start()
        server.run()
        client.join()
    finally:
        server.close()


def _ask(path: Path) -> None:
    """What the driver sends to a VMM; the end of the server in any case."""
    try:
        with unix_socket.connect(path, _PATIENCE) as events:
            _request(events, b"GET", b"vm.events")
            for method, name in ((b"GET", b"vm.info"), (b"GET", b"vm.counters"), (b"PUT", b"vm.power-button")):
                with unix_socket.connect(path, _PATIENCE) as connection:
                    _request(connection, method, name)
                    while connection.recv(4096):
                        continue
    except OSError as error:
        LOG.warning("The rehearsed VMM does not answer: %s", error)
    finally:
        os.kill(os.getpid(), signal.SIGTERM)


def _request(connection: socket.socket, method: bytes, name: bytes) -> None:
    head = b"%s /api/v1/%s HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: identity\r\nConnection: close\r\n\r\n"
    connection.sendall(head % (method, name))


def _config(folder: Path) -> dict[str, Any]:
    """As the driver makes it."""
    log, disk, base = folder / "console.log", folder / "vda.overlay", folder / "base.raw"
    if not log.exists():
        console_log.create(log, _LOG_SIZE)
        base.touch()
        os.truncate(base, _DISK_SIZE)
        overlay.create(disk, base=base)
    return {
        "cpus": {"boot_vcpus": 1, "max_vcpus": 1},
        "memory": {"size": 16 << 20},
        "payload": {"kernel": str(INTERACTIVE), "cmdline": "", "format": loader.ELF64},
        "pvpanic": True,
        "serial": {"mode": "Socket", "socket": str(folder / "serial.sock")},
        "console": {"mode": "Off"},
        "console_log": {"file": str(log), "size": _LOG_SIZE},
        "disks": [{"id": "vda", "path": str(disk), "image_type": "Overlay", "backing_file": str(base)}],
        "platform": {"uuid": "00000000-0000-0000-0000-000000000000"},
    }
