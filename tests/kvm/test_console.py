"""`nova-lite console` on real guests: in a terminal and in a pipe, until it is left or the VM ends."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import termios
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.service import COMMAND
from nova_lite.hv.driver import MachineSpec
from nova_lite.hv.guests import INTERACTIVE
from nova_lite.hv.kvm import KvmDriver
from nova_lite.paths import Paths
from tests.kvm.vmm_process import PATIENCE, SerialClient, needs_kvm
from tests.serving import nova_lite

pytestmark = needs_kvm


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A state folder with one running interactive guest, and its uuid."""
    driver = KvmDriver(Paths(tmp_path / "s"))
    driver.start(lambda event: None)
    spec = MachineSpec(str(uuid.uuid4()), "one", 1, 32, INTERACTIVE, "elf64")
    driver.prepare(spec)
    driver.power_on(spec)
    line = SerialClient(Paths(tmp_path / "s").serial_socket(spec.uuid))
    line.read_until("> ")  # from here on the guest hears what is typed
    line.close()
    yield tmp_path / "s", spec.uuid
    driver.destroy(spec.uuid)
    driver.close()


class Terminal:
    """`nova-lite console` in a terminal of 132 by 43."""

    def __init__(self, state: Path, *arguments: str) -> None:
        self.leader, self.follower = pty.openpty()
        termios.tcsetwinsize(self.leader, (43, 132))
        self.before = termios.tcgetattr(self.follower)
        self.process = subprocess.Popen(
            [*COMMAND, "--state-path", str(state), "console", *arguments],
            stdin=self.follower,
            stdout=self.follower,
            stderr=self.follower,
            env={name: value for name, value in os.environ.items() if name not in ("LINES", "COLUMNS")},
        )

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self.leader)
        os.close(self.follower)

    def type(self, keys: bytes) -> None:
        os.write(self.leader, keys)

    def read_until(self, text: str) -> str:
        seen = ""
        while text not in seen:
            ready, _, _ = select.select([self.leader], [], [], PATIENCE)
            assert ready, f"waited in vain for {text!r}; saw {seen!r}"
            seen += os.read(self.leader, 4096).decode(errors="replace")
        return seen

    def ended(self) -> int:
        """The exit code; the terminal is as it was."""
        code = self.process.wait(PATIENCE)
        assert termios.tcgetattr(self.follower) == self.before
        return code


def test_every_key_goes_to_the_guest_and_the_escape_key_leaves(server: tuple[Path, str]) -> None:
    state, uuid_ = server
    with Terminal(state, uuid_[:8]) as terminal:
        assert "Ctrl-], then: q leave" in terminal.read_until("> ")
        terminal.type(b"hello\r\x03\x1a")  # Ctrl-C and Ctrl-Z are keys like any other
        terminal.read_until("you said: hello")
        assert terminal.process.poll() is None
        terminal.type(b"\x1d?")
        terminal.read_until("? this help]")
        terminal.type(b"\x1dq")
        terminal.read_until("the server goes on")
        assert terminal.ended() == 0


def test_the_windows_size_is_typed_at_the_guests_shell_on_request(server: tuple[Path, str]) -> None:
    state, uuid_ = server
    with Terminal(state, "--escape", "ctrl-a", uuid_) as terminal:
        assert "Ctrl-A, then" in terminal.read_until("> ")
        terminal.type(b"\x01s")
        terminal.read_until("you said: stty rows 43 cols 132")
        terminal.type(b"\x1dqu\r")  # the usual key means nothing here
        terminal.read_until("you said: qu")
        terminal.type(b"\x01q")
        assert terminal.ended() == 0


def test_the_end_of_the_vm_is_told_and_the_terminal_restored(server: tuple[Path, str]) -> None:
    state, uuid_ = server
    with Terminal(state, uuid_) as terminal:
        terminal.read_until("> ")
        terminal.type(b"poweroff\r")
        terminal.read_until("was closed: the VM is shutdown")
        assert terminal.ended() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_restores_the_terminal(server: tuple[Path, str], number: signal.Signals) -> None:
    state, uuid_ = server
    with Terminal(state, uuid_) as terminal:
        terminal.read_until("> ")
        terminal.process.send_signal(number)
        terminal.read_until(f"Ended by {number.name}")
        assert terminal.ended() == 0


def test_piped_input_is_typed_and_the_answer_printed(server: tuple[Path, str], tmp_path: Path) -> None:
    state, uuid_ = server
    command = [*COMMAND, "--state-path", str(state), "console", uuid_]
    piped = subprocess.run(command, input=b"by pipe\n", capture_output=True, timeout=PATIENCE)
    assert piped.returncode == 0 and b"you said: by pipe" in piped.stdout
    (tmp_path / "script").write_bytes(b"by file\npoweroff\n")
    with open(tmp_path / "script", "rb") as script:
        filed = subprocess.run(command, stdin=script, capture_output=True, timeout=PATIENCE)
    assert filed.returncode == 0 and b"you said: by file" in filed.stdout and b"was closed" in filed.stderr


def test_reading_alone_goes_on_until_the_vm_ends(server: tuple[Path, str]) -> None:
    state, uuid_ = server
    command = [*COMMAND, "--state-path", str(state), "console", uuid_]
    with subprocess.Popen([*command, "--read-only"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as reader:
        assert reader.stdout is not None and reader.stdout.read(4) == b"nova"
        subprocess.run(command, input=b"seen by both\npoweroff\n", check=True, capture_output=True, timeout=PATIENCE)
        assert b"you said: seen by both" in reader.stdout.read()
        assert reader.wait(PATIENCE) == 0


def test_servers_without_console_are_refused_in_words(server: tuple[Path, str]) -> None:
    state, uuid_ = server
    unknown = nova_lite(state, "console", "nobody")
    assert unknown.returncode == 1 and "No VM of this host is called 'nobody'" in unknown.stderr
    nova_lite(state, "vm", "stop", "--force", uuid_)
    stopped = nova_lite(state, "console", uuid_)
    assert stopped.returncode == 1 and "does not run" in stopped.stderr
    bad_key = nova_lite(state, "console", "--escape", "x", uuid_)
    assert bad_key.returncode == 2 and "no control key" in bad_key.stderr


def test_an_address_of_the_page_needs_a_service_that_serves_it(server: tuple[Path, str]) -> None:
    done = nova_lite(server[0], "console", "--url", server[1])
    assert done.returncode == 1 and "No `nova-lite serve` runs here" in done.stderr
