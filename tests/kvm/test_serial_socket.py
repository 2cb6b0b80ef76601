"""COM1 on a UNIX socket: several viewers, each at its own pace, over a guest that never waits for them."""

from __future__ import annotations

import contextlib
import socket
from pathlib import Path

from nova_lite.hv import console_log
from nova_lite.hv.guests import COUNTING, INTERACTIVE
from nova_lite.hv.vmm import unix_socket
from nova_lite.hv.vmm.serial_socket import MAX_CLIENTS
from tests.kvm.vmm_process import PATIENCE, SerialClient, Vmm, needs_kvm

pytestmark = needs_kvm


def vmm(tmp_path: Path, kernel: Path = INTERACTIVE) -> Vmm:
    return Vmm(
        tmp_path / "api.sock",
        *("--kernel", kernel, "--memory", "32M"),
        *("--serial", f"socket={tmp_path / 'serial.sock'}", "--console-log", f"file={tmp_path / 'console.log'}"),
    )


def viewer(tmp_path: Path) -> SerialClient:
    return SerialClient(tmp_path / "serial.sock")


def test_all_viewers_see_the_same_and_all_may_type(tmp_path: Path) -> None:
    with vmm(tmp_path):
        first, second = viewer(tmp_path), viewer(tmp_path)
        first.read_until("> ")
        first.type("one\n")
        for line in (first, second):
            line.read_until("you said: one")
        second.type("two\n")
        for line in (first, second):
            line.read_until("you said: two")
        first.close()
        second.type("three\n")
        second.read_until("you said: three")
        assert b"you said: three" in console_log.read_tail(tmp_path / "console.log", 4096)


def test_a_viewer_that_does_not_read_holds_up_nobody_and_is_told_what_it_missed(tmp_path: Path) -> None:
    with vmm(tmp_path, COUNTING) as process:
        slow = unix_socket.connect(tmp_path / "serial.sock", PATIENCE)
        assert slow.recv(1)
        quick = viewer(tmp_path)
        before = process.get("vm.counters")["port_console"]["lines"]
        after, seen = before, 0
        while after < before + 40_000:  # far more than socket and ring hold
            quick.read_until("out port: 16")
            seen += 1
            after = process.get("vm.counters")["port_console"]["lines"] if seen % 500 == 0 else after
        received = b""
        while b"bytes left out: this console was read too slowly]" not in received:
            received = received[-200:] + slow.recv(1 << 16)
        received = b""
        while b"\r\nout port: 16, data: " not in received and b"\nout port: 16, data: " not in received:
            received = received[-200:] + slow.recv(1 << 16)


def test_a_viewer_may_stop_typing_and_go_on_reading(tmp_path: Path) -> None:
    with vmm(tmp_path):
        viewer(tmp_path).read_until("> ")  # from here on the guest hears what is typed
        line = unix_socket.connect(tmp_path / "serial.sock", PATIENCE)
        line.sendall(b"last words\npoweroff\n")
        line.shutdown(socket.SHUT_WR)
        received = b""
        while data := line.recv(4096):
            received += data
        assert b"you said: last words" in received and b"switching off" in received


def test_viewers_beyond_the_limit_are_told_and_a_place_becomes_free(tmp_path: Path) -> None:
    with vmm(tmp_path):
        viewers = [viewer(tmp_path) for _ in range(MAX_CLIENTS)]
        for line in viewers:
            line.read_until("> ")
        assert "are attached to this server already" in viewer(tmp_path).read_until("\r\n")
        viewers.pop().close()
        viewers[0].type("gone\n")
        viewers[0].read_until("you said: gone")  # the thread has taken a turn since
        viewer(tmp_path).read_until("you said: gone")


def test_the_thread_is_there_only_while_somebody_looks(tmp_path: Path) -> None:
    with vmm(tmp_path) as process:

        def serial_threads() -> int:
            """Those of Python's but the main one; a thread of the REST API may be among them for a moment."""
            names = []
            for task in Path(f"/proc/{process.process.pid}/task").iterdir():
                with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it has just ended
                    names.append((task / "comm").read_text())
            return names.count(Path(f"/proc/{process.process.pid}/comm").read_text()) - 1

        for _ in range(5):
            line = viewer(tmp_path)
            line.read_until("> ")
            assert serial_threads() >= 1
            line.close()
        line = viewer(tmp_path)
        line.read_until("> ")
        assert serial_threads() <= 2
