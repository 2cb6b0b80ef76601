"""nova-lite-vmm as a program: options, socket and lock, signals, serial line, what the guest does to itself."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess
import sys
import termios
import threading
from pathlib import Path

import pytest

from nova_lite.hv import console_log
from nova_lite.hv.vmm import client
from nova_lite.hv.vmm.api_socket import lock_holder
from tests.kvm.native_guests import assemble
from tests.kvm.vmm_process import (
    COUNTING,
    INTERACTIVE,
    PATIENCE,
    SerialClient,
    Vmm,
    config,
    needs_kvm,
    wait_for,
)

pytestmark = needs_kvm

PROGRAM = [sys.executable, "-m", "nova_lite.hv.vmm.main"]


def _run(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*PROGRAM, *map(str, arguments)], capture_output=True, text=True, timeout=PATIENCE)


def _interactive(tmp_path: Path, *options: object) -> Vmm:
    """A VMM whose interactive guest has shown its prompt, with its serial line at tmp_path/serial.sock."""
    log = tmp_path / "console.log"
    vmm = Vmm(
        *(tmp_path / "api.sock", "--kernel", INTERACTIVE, "--memory", "size=32M", "--console-log", f"file={log}"),
        *("--serial", f"socket={tmp_path / 'serial.sock'}", *options),
    )
    _wait_for_prompt(log)
    return vmm


def _wait_for_prompt(log: Path) -> None:
    wait_for(lambda: console_log.read_tail(log, 2) == b"> ", "the guest's prompt")


def test_boots_at_once_what_the_options_say(tmp_path: Path) -> None:
    with _interactive(tmp_path, "--cpus", "boot=2,max=2", "--cmdline", "quiet") as vmm:
        info = vmm.get("vm.info")
        assert info["state"] == "Running"
        assert info["config"]["cpus"] == {"boot_vcpus": 2, "max_vcpus": 2}
        assert info["config"]["memory"]["size"] == 32 << 20
        assert info["config"]["payload"] == {"kernel": str(INTERACTIVE), "cmdline": "quiet"}
        assert b"vCPUs=2 memory=32 MiB" in console_log.read_tail(tmp_path / "console.log", 4096)
        assert str(tmp_path / "api.sock") in vmm.summary


def test_summary_lists_socket_and_machine(tmp_path: Path) -> None:
    socket = tmp_path / "api.sock"
    process = subprocess.Popen(
        [*PROGRAM, "--api-socket", str(socket), "--kernel", str(COUNTING), "--memory", "64M", "--cpus", "2"],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    with process:
        lines = [process.stdout.readline().strip() for _ in range(5)]
        process.terminate()
    assert lines[1:] == [f"API server: {socket}", "vCPUs: 2", "Memory: 64 MiB", f"Kernel: {COUNTING}"]


def test_interactive_guest_echoes_through_the_serial_socket(tmp_path: Path) -> None:
    with _interactive(tmp_path):
        line = SerialClient(tmp_path / "serial.sock")
        line.type("good morning\n")
        line.read_until("you said: good morning")
        line.type("x" * 200 + "\n")  # more than the receiver holds
        line.read_until("you said: " + "x" * 100)
        line.close()
        second = SerialClient(tmp_path / "serial.sock")
        second.type("\nagain\n")
        second.read_until("you said: again")


def test_guest_that_powers_off_leaves_the_vmm_serving(tmp_path: Path) -> None:
    with _interactive(tmp_path) as vmm:
        events = vmm.events()
        SerialClient(tmp_path / "serial.sock").type("poweroff\n")
        event = events.until("shutdown")
        assert (event["initiator"], event["state"]) == ("guest", "Shutdown")
        assert vmm.state() == "Shutdown"
        vmm.put("vm.boot")
        assert vmm.state() == "Running"


def test_guest_that_reboots_starts_again_in_the_same_process(tmp_path: Path) -> None:
    with _interactive(tmp_path) as vmm:
        events = vmm.events()
        SerialClient(tmp_path / "serial.sock").type("reboot\n")
        event = events.until("rebooted")
        assert (event["initiator"], event["state"]) == ("guest", "Running")
        log = tmp_path / "console.log"
        wait_for(lambda: console_log.read_tail(log, 4096).count(b"nova_lite guest:") == 2, "a second banner")
        _wait_for_prompt(log)
        SerialClient(tmp_path / "serial.sock").type("still there\n")
        wait_for(lambda: b"you said: still there" in console_log.read_tail(log, 4096), "an echo")


def test_crash_is_a_state_with_rip_and_bytes_and_can_be_left(tmp_path: Path) -> None:
    with _interactive(tmp_path) as vmm:
        events = vmm.events()
        SerialClient(tmp_path / "serial.sock").type("crash\n")
        event = events.until("crashed")
        assert (event["initiator"], event["state"]) == ("guest", "Crashed")
        info = vmm.get("vm.info")
        assert info["state"] == "Crashed" and info["crash"]["kind"] == "triple_fault"
        assert re.fullmatch(r"0x[0-9a-f]+", info["crash"]["rip"]) and info["crash"]["bytes"]
        assert info["crash"]["rip"] in info["detail"] and "triple fault" in info["detail"]
        assert vmm.refusal("PUT", "vm.pause").status == 405
        vmm.put("vm.reboot")
        assert "crash" not in vmm.get("vm.info") and vmm.state() == "Running"


def test_guest_that_resets_for_ever_keeps_the_vmm_answering(tmp_path: Path) -> None:
    kernel = tmp_path / "resetter"
    kernel.write_bytes(assemble("movb $0xfe, %al\noutb %al, $0x64\nhlt"))
    with Vmm(tmp_path / "api.sock") as vmm:
        events = vmm.events()
        vmm.put("vm.create", config(kernel))
        vmm.put("vm.boot")
        for _ in range(4):
            events.until("rebooted")
        assert vmm.state() == "Running"
        vmm.put("vm.pause")
        vmm.put("vm.resume")
        boots = vmm.get("vm.counters")["machine"]["boots"]
        assert not threading.Event().wait(1.5)
        assert vmm.get("vm.counters")["machine"]["boots"] - boots < 10, "resets must be slowed down"
        vmm.put("vm.shutdown")
        assert vmm.state() == "Shutdown"


def test_a_test_that_fails_shows_what_vmm_and_guest_were_doing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ZeroDivisionError), _interactive(tmp_path):
        raise ZeroDivisionError
    shown = capsys.readouterr().out
    assert " vcpu0 " in shown and '"state": "Running"' in shown and '"bytes_out"' in shown
    assert re.search("^rip 0x[0-9a-f]+ flags ", shown, re.MULTILINE)
    (tmp_path / "serial.sock").unlink()
    with pytest.raises(ZeroDivisionError), _interactive(tmp_path) as vmm:
        vmm.end(signal.SIGKILL)
        raise ZeroDivisionError
    assert "it has ended" in capsys.readouterr().out


def test_exit_on_shutdown_ends_with_the_guest(tmp_path: Path) -> None:
    with _interactive(tmp_path, "--exit-on-shutdown") as vmm:
        SerialClient(tmp_path / "serial.sock").type("poweroff\n")
        assert vmm.process.wait(PATIENCE) == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_end_it_in_good_order(tmp_path: Path, number: int) -> None:
    with _interactive(tmp_path) as vmm:
        assert lock_holder(vmm.socket) == vmm.process.pid
        assert vmm.end(number) == 0
        assert {path.name for path in tmp_path.iterdir()} == {"console.log"}


def test_second_vmm_on_a_socket_is_refused_and_the_first_goes_on(tmp_path: Path) -> None:
    with Vmm(tmp_path / "api.sock") as vmm:
        second = _run("--api-socket", vmm.socket)
        assert second.returncode == 1
        assert f"process {vmm.process.pid}" in second.stderr and str(vmm.socket) in second.stderr
        assert vmm.get("vmm.ping")["pid"] == vmm.process.pid


def test_socket_of_a_killed_vmm_is_taken_over(tmp_path: Path) -> None:
    with Vmm(tmp_path / "api.sock") as first:
        first.end(signal.SIGKILL)
        assert first.socket.exists() and lock_holder(first.socket) is None
        with Vmm(first.socket) as second:
            assert second.get("vmm.ping")["pid"] == second.process.pid


def test_file_in_the_sockets_place_is_not_removed(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("data")
    done = _run("--api-socket", precious)
    assert done.returncode == 1 and "not a socket" in done.stderr
    assert precious.read_text() == "data" and {path.name for path in tmp_path.iterdir()} == {"precious"}


def test_socket_path_may_be_longer_than_the_kernels_address(tmp_path: Path) -> None:
    folder = tmp_path / ("long" * 30)
    folder.mkdir()
    with Vmm(folder / "api.sock") as vmm:
        assert vmm.get("vmm.ping")["pid"] == vmm.process.pid


def test_default_socket_is_in_the_users_run_folder() -> None:
    process = subprocess.Popen(PROGRAM, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    with process:
        process.stdout.readline()
        socket = Path(process.stdout.readline().split(": ")[1].strip())
        assert socket == Path(f"/run/user/{os.getuid()}/nova-lite-vmm.{process.pid}")
        assert socket.is_socket() and socket.stat().st_mode & 0o077 == 0
        process.terminate()
    assert not socket.exists()


def test_terminal_goes_to_the_guest_and_ctrl_a_x_leaves(tmp_path: Path) -> None:
    leader, follower = pty.openpty()
    before = termios.tcgetattr(follower)
    socket = tmp_path / "api.sock"
    process = subprocess.Popen(
        [*PROGRAM, "--api-socket", str(socket), "--kernel", str(INTERACTIVE), "--memory", "32M", "--serial", "tty"],
        stdin=follower,
        stdout=follower,
    )
    with process:
        _read_terminal(leader, "> ")
        os.write(leader, b"hello\n\x03")  # Ctrl-C is a key like any other
        _read_terminal(leader, "you said: hello")
        assert process.poll() is None
        assert not termios.tcgetattr(follower)[3] & (termios.ICANON | termios.ECHO | termios.ISIG)
        os.write(leader, b"\x01x")
        assert process.wait(PATIENCE) == 0
    assert termios.tcgetattr(follower) == before
    os.close(follower)
    os.close(leader)
    assert not socket.exists()


def test_a_terminal_that_goes_ends_the_vmm_in_good_order(tmp_path: Path) -> None:
    leader, follower = pty.openpty()
    socket = tmp_path / "api.sock"
    process = subprocess.Popen(  # these tests may run under nohup, which a VMM would take for its own
        ["env", "--default-signal=HUP", "setsid", "--ctty", *PROGRAM, "--api-socket", str(socket)]
        + ["--kernel", str(INTERACTIVE), "--memory", "32M", "--serial", "tty"],
        stdin=follower,
        stdout=follower,
        stderr=subprocess.PIPE,
    )
    os.close(follower)
    with process:
        _read_terminal(leader, "> ")
        os.close(leader)
        _, err = process.communicate(timeout=PATIENCE)
        assert (process.returncode, err) == (0, b"")
    assert not socket.exists()


def test_a_vmm_under_nohup_outlives_its_terminal(tmp_path: Path) -> None:
    leader, follower = pty.openpty()
    socket = tmp_path / "api.sock"
    process = subprocess.Popen(
        ["env", "--ignore-signal=HUP", "setsid", "--ctty", *PROGRAM, "--api-socket", str(socket)]
        + ["--kernel", str(INTERACTIVE), "--memory", "32M", "--serial", "tty"],
        stdin=follower,
        stdout=follower,
    )
    os.close(follower)
    with process:
        _read_terminal(leader, "> ")
        os.close(leader)
        assert client.request(socket, "GET", "vm.info", timeout=PATIENCE)["state"] == "Running"
        process.terminate()
        assert process.wait(PATIENCE) == 0


def _read_terminal(leader: int, text: str) -> None:
    seen = ""
    while text not in seen:
        ready, _, _ = select.select([leader], [], [], PATIENCE)
        assert ready, f"waited in vain for {text!r}; saw {seen!r}"
        seen += os.read(leader, 4096).decode()


def test_standard_input_may_be_a_pipe(tmp_path: Path) -> None:
    done = subprocess.run(
        [*PROGRAM, "--api-socket", str(tmp_path / "s"), "--kernel", str(INTERACTIVE), "--serial", "tty"]
        + ["--memory", "32M", "--exit-on-shutdown"],
        input=b"\n" * 20 + b"poweroff\n",
        capture_output=True,
        timeout=PATIENCE,
    )
    assert done.returncode == 0 and b"switching off" in done.stdout


def test_serial_file_gets_the_output(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.write_bytes(b"before\n")
    with Vmm(tmp_path / "s", "--kernel", INTERACTIVE, "--memory", "32M", "--serial", f"file={out}"):
        wait_for(lambda: out.read_bytes().endswith(b"> "), "the guest's prompt")
    assert out.read_bytes().startswith(b"before\nnova_lite guest:")


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--memory", "64M"], "--kernel"),
        (["--kernel", "k", "--memory", "64Q"], "--memory"),
        (["--kernel", "k", "--memory", "size=1"], "memory.size"),
        (["--kernel", "k", "--cpus", "boot=0"], "cpus.boot_vcpus"),
        (["--kernel", "k", "--cpus", "boot=two"], "--cpus"),
        (["--kernel", "k", "--cpus", "sockets=2"], "--cpus"),
        (["--kernel", "k", "--serial", "pipe"], "--serial"),
        (["--kernel", "k", "--serial", "file="], "--serial"),
        (["--kernel", "k", "--console-log", "size=1"], "--console-log"),
        (["--kernel", "k", "--platform", "uuid=1"], "platform.uuid"),
        (["--disk", "path=x"], "--disk needs --kernel"),
        (["--kernel", "k", "--disk", "path=x,colour=red"], "argument --disk: colour is no key; keys: path, readonly"),
        (["--kernel", "k", "--disk", "path=x,vhost_user=on"], "argument --disk: vhost_user is not supported yet"),
        (["--kernel", "k", "--disk", "path=x,readonly=maybe"], "argument --disk: readonly: 'maybe' is neither on"),
        (["--kernel", "k", "--disk", "path=x", "readonly=on"], "disks.1.path: is missing"),
        (["--kernel", "k", "--disk", 'path="x'], "a quote that does not end"),
        (["--kernel", "k", "--disk", "path=x,queue_size=3"], "disks.0.queue_size"),
        (["--kernel", "k", "--net", "tap"], "argument --net: 'tap' is not of the form key=value"),
        (["--kernel", "k", "--net", "mac=1"], "net.0.mac"),
        (["--kernel", "k", "--format", "uimage"], "payload.format"),
        (["--kernel", "k", "--fs", "tag=x"], "--fs is not supported yet"),
        (["--firmware", "f", "--cmdline", "quiet"], "payload.cmdline: cannot stand beside payload.firmware"),
        (["--kernel", "k", "--cpus", "boot=4,topology=2:2"], "argument --cpus: topology: '2:2' is not of the form"),
        (["--kernel", "k", "--cpus", "boot=4,topology=2:2:1:2"], "cpus.topology: has 8 virtual CPUs, max_vcpus is 4"),
        (["--kernel", "k", "--debug-console", "tty", "--serial", "tty"], "there is one terminal, and serial has it"),
    ],
)
def test_wrong_options_are_named(arguments: list[str], named: str) -> None:
    done = _run(*arguments)
    assert done.returncode == 2 and named in done.stderr and "Traceback" not in done.stderr


def test_unusable_kernel_ends_it_with_a_sentence(tmp_path: Path) -> None:
    done = _run("--api-socket", tmp_path / "s", "--kernel", tmp_path / "none")
    assert done.returncode == 1 and "does not exist" in done.stderr and "Traceback" not in done.stderr
    assert not list(tmp_path.iterdir())
