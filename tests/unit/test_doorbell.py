"""The bell that tells the event service of changes: one socket, for threads, forks and listeners that come and go."""

from __future__ import annotations

import os
import socket
import threading
from pathlib import Path

import pytest

from nova_lite.db.changes import Doorbell

PATIENCE = 60.0  # seconds


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)  # a UNIX socket's path is short
    return Path("bell")


def listen(path: Path) -> socket.socket:
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    listener.settimeout(PATIENCE)
    listener.bind(str(path))
    return listener


def test_threads_and_forked_workers_ring_the_same_bell(path: Path) -> None:
    with listen(path) as listener:
        bell = Doorbell(path)
        descriptors = len(os.listdir("/proc/self/fd"))
        bell()
        threads = [threading.Thread(target=bell) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if (worker := os.fork()) == 0:
            bell()
            os._exit(0)
        assert os.waitpid(worker, 0)[1] == 0
        assert b"".join(listener.recv(16) for _ in range(5)) == b"!!!!!"
        assert len(os.listdir("/proc/self/fd")) == descriptors


def test_a_listener_that_is_away_or_does_not_listen_is_no_failure_and_the_next_one_hears(path: Path) -> None:
    bell = Doorbell(path)
    bell()  # nobody has ever been there
    with listen(path):
        for _ in range(1000):
            bell()  # its queue is full long before
    bell()  # closed, its path still there
    with listen(path) as listener:
        bell()
        assert listener.recv(16) == b"!"


def test_a_bell_that_is_gone_keeps_no_socket(path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    bell = Doorbell(path)
    assert len(os.listdir("/proc/self/fd")) == before + 1
    del bell
    assert len(os.listdir("/proc/self/fd")) == before
