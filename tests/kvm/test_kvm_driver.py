"""The kvm driver on real VMs: its verbs, its events, and what it finds when it comes after another."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from pathlib import Path

import pytest

from nova_lite.hv.driver import DriverError, MachineEvent, MachineNotFound, PowerState
from nova_lite.hv.vmm import client, process
from nova_lite.hv.vmm.api_socket import lock_holder
from tests.kvm.driver_host import Host
from tests.kvm.native_guests import assemble
from tests.kvm.vmm_process import COUNTING, INTERACTIVE, needs_kvm, wait_for

pytestmark = needs_kvm


def test_life_of_a_machine(host: Host) -> None:
    driver, spec = host.driver, host.spec()
    with pytest.raises(MachineNotFound):
        driver.info(spec.uuid)
    driver.prepare(spec)
    assert driver.info(spec.uuid).power_state == PowerState.SHUTDOWN
    assert driver.console_output(spec.uuid, 100) == b""
    assert host.paths.instance(spec.uuid).stat().st_mode & 0o077 == 0
    info = driver.power_on(spec)
    assert (info.power_state, info.memory_mb, info.vcpus) == (PowerState.RUNNING, 16, 1)
    assert process.start_time(info.pid) == info.start_time
    wait_for(lambda: b"out port: 16, data: 100\n" in driver.console_output(spec.uuid, 65536), "output of the guest")
    assert driver.counters(spec.uuid)["vcpu0"]["io"] > 100
    driver.pause(spec.uuid)
    driver.pause(spec.uuid)
    assert driver.info(spec.uuid).power_state == PowerState.PAUSED
    driver.resume(spec.uuid)
    driver.resume(spec.uuid)
    assert driver.info(spec.uuid) == info == driver.list()[0]
    driver.power_off(spec.uuid)
    driver.power_off(spec.uuid)
    off = driver.info(spec.uuid)
    assert (off.power_state, off.pid) == (PowerState.SHUTDOWN, 0)
    assert {path.name for path in host.paths.instance(spec.uuid).iterdir()} == {"console.log", "vmm.log"}
    assert driver.console_output(spec.uuid, 65536)
    driver.destroy(spec.uuid)
    driver.destroy(spec.uuid)
    assert driver.list() == [] and not host.paths.instance(spec.uuid).exists()
    assert host.events.empty(), "what was asked for is no event"


def test_power_on_twice_is_one_vmm(host: Host) -> None:
    spec = host.spec()
    first = host.driver.power_on(spec)
    assert host.driver.power_on(spec) == first
    assert host.vmms() == [first.pid]


def test_power_on_from_many_threads_is_one_vmm_each(host: Host) -> None:
    specs = [host.spec() for _ in range(3)]
    threads = [threading.Thread(target=host.driver.power_on, args=(spec,)) for spec in specs * 3]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    infos = host.driver.list()
    assert {info.power_state for info in infos} == {PowerState.RUNNING}
    assert sorted(host.vmms()) == sorted(info.pid for info in infos) and len(infos) == 3


def test_soft_reboot_keeps_the_process_hard_reboot_replaces_it(host: Host) -> None:
    spec = host.spec()
    first = host.driver.power_on(spec)
    assert host.driver.reboot(spec, hard=False).pid == first.pid
    second = host.driver.reboot(spec, hard=True)
    assert second.pid != first.pid and host.vmms() == [second.pid]
    host.driver.pause(spec.uuid)
    assert host.driver.reboot(spec, hard=False).power_state == PowerState.RUNNING
    host.driver.power_off(spec.uuid)
    assert host.driver.reboot(spec, hard=False).power_state == PowerState.RUNNING
    assert host.events.empty()


def test_verbs_on_a_machine_that_is_off_say_so(host: Host) -> None:
    spec = host.spec()
    host.driver.prepare(spec)
    for verb in (host.driver.pause, host.driver.resume, host.driver.counters):
        with pytest.raises(DriverError):
            verb(spec.uuid)
    with pytest.raises(DriverError, match="uuid"):
        host.driver.info("../../etc")


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "does not exist"), (b"", "empty"), (b"\x7fELF\x02\x01\x01", "truncated"), (b"\x1f\x8b" * 99, "gzip")],
)
def test_unusable_kernels_are_refused_by_prepare_and_by_power_on(
    host: Host, tmp_path: Path, content: bytes | None, said: str
) -> None:
    kernel = tmp_path / "kernel"
    if content is not None:
        kernel.write_bytes(content)
    spec = host.spec(kernel, kernel_format="elf64" if content else "flat16")
    for verb in (host.driver.prepare, host.driver.power_on):
        with pytest.raises(DriverError, match=said) as caught:
            verb(spec)
        assert str(tmp_path) not in str(caught.value)
    assert host.vmms() == []


def test_kernel_that_needs_more_memory_is_refused(host: Host) -> None:
    with pytest.raises(DriverError, match="memory"):
        host.driver.power_on(host.spec(INTERACTIVE, memory_mb=1))
    with pytest.raises(DriverError, match=r"memory\.size"):
        host.driver.power_on(host.spec(memory_mb=0))


def test_an_unusable_initramfs_or_command_line_is_refused_by_prepare_and_by_power_on(host: Host) -> None:
    missing = host.paths.state / "initrd.img"
    for spec, said in [
        (host.spec(INTERACTIVE, initramfs=missing), "'initrd.img' does not exist"),
        (host.spec(COUNTING, initramfs=COUNTING), "takes no initramfs"),
        (host.spec(INTERACTIVE, cmdline="x" * 2048), "2048|2047"),
    ]:
        for verb in (host.driver.prepare, host.driver.power_on):
            with pytest.raises(DriverError, match=said) as caught:
                verb(spec)
            assert str(host.paths.state) not in str(caught.value)
    assert host.vmms() == []


def test_a_guest_that_reports_a_panic_has_crashed_and_starts_again(host: Host, tmp_path: Path) -> None:
    kernel = tmp_path / "panics"
    kernel.write_bytes(assemble("movw $0x505, %dx\nmovb $1, %al\noutb %al, %dx\nhlt"))
    spec = host.spec(kernel)
    for _ in range(2):
        host.driver.power_on(spec)
        event = host.event()
        assert (event.uuid, event.kind) == (spec.uuid, "crashed")
        assert event.detail.startswith("the guest kernel panicked")
        assert host.driver.info(spec.uuid).power_state == PowerState.CRASHED


def test_the_power_button_of_a_running_guest_can_be_pressed_also_by_the_next_driver(host: Host) -> None:
    spec = host.spec()
    with pytest.raises(DriverError):
        host.driver.press_power_button(spec.uuid)
    host.driver.power_on(spec)
    host.driver.press_power_button(spec.uuid)  # this guest does not listen
    host.replace_driver()
    host.driver.press_power_button(spec.uuid)
    assert host.driver.info(spec.uuid).power_state == PowerState.RUNNING
    host.driver.pause(spec.uuid)
    with pytest.raises(DriverError):
        host.driver.press_power_button(spec.uuid)


def test_guest_that_powers_itself_off_is_reported_and_starts_again(host: Host, tmp_path: Path) -> None:
    kernel = tmp_path / "off"
    kernel.write_bytes(assemble("movw $0x600, %dx\nmovb $0x34, %al\noutb %al, %dx\nhlt"))
    spec = host.spec(kernel)
    first = host.driver.power_on(spec)
    assert (host.event().kind, host.driver.info(spec.uuid).power_state) == ("shutdown", PowerState.SHUTDOWN)
    second = host.driver.power_on(spec)
    assert second.pid != first.pid and host.event().kind == "shutdown"


def test_guest_that_resets_is_reported(host: Host, tmp_path: Path) -> None:
    kernel = tmp_path / "reset"
    kernel.write_bytes(assemble("movb $0xfe, %al\noutb %al, $0x64\nhlt"))
    spec = host.spec(kernel)
    host.driver.power_on(spec)
    assert host.event() == MachineEvent(spec.uuid, "reset", "")


def test_crash_is_reported_with_its_place(host: Host, tmp_path: Path) -> None:
    kernel = tmp_path / "crash"
    kernel.write_bytes(assemble("lidt none\nud2\nnone: .word 0\n.long 0"))
    spec = host.spec(kernel)
    host.driver.power_on(spec)
    event = host.event()
    assert event.kind == "crashed" and "rip 0x" in event.detail
    info = host.driver.info(spec.uuid)
    assert info.power_state == PowerState.CRASHED and info.detail == event.detail


def test_killed_vmm_is_reported_gone_and_started_again(host: Host) -> None:
    spec = host.spec()
    first = host.driver.power_on(spec)
    os.kill(first.pid, signal.SIGKILL)
    assert host.event().kind == "gone"
    assert host.driver.info(spec.uuid).power_state == PowerState.SHUTDOWN
    assert host.driver.power_on(spec).pid != first.pid


def test_vms_outlive_the_driver_and_are_adopted_by_the_next(host: Host) -> None:
    specs = [host.spec() for _ in range(3)]
    before = sorted((host.driver.power_on(spec) for spec in specs), key=lambda info: info.uuid)
    host.driver.pause(specs[0].uuid)
    host.replace_driver()
    after = host.driver.list()
    assert [(info.uuid, info.pid, info.start_time) for info in after] == [
        (info.uuid, info.pid, info.start_time) for info in before
    ]
    assert host.driver.info(specs[0].uuid).power_state == PowerState.PAUSED
    assert host.driver.power_on(specs[1]).pid in {info.pid for info in before}
    os.kill(host.driver.info(specs[2].uuid).pid, signal.SIGKILL)
    assert host.event() == MachineEvent(specs[2].uuid, "gone", "the VM's process ended")


def test_what_happened_while_no_driver_watched_is_reported(host: Host) -> None:
    spec = host.spec(INTERACTIVE)
    host.driver.power_on(spec)
    host.driver.close()
    client.request(host.paths.vmm_socket(spec.uuid), "PUT", "vm.shutdown")
    host.driver = host.new_driver()
    assert host.event().kind == "shutdown"


def test_killed_zygote_takes_no_vm_with_it_and_is_replaced(host: Host) -> None:
    first = host.driver.power_on(host.spec())
    zygote = host.driver.zygote_pid
    assert zygote is not None
    os.kill(zygote, signal.SIGKILL)
    second = host.driver.power_on(host.spec())
    assert sorted(host.vmms()) == sorted([first.pid, second.pid])
    assert host.driver.zygote_pid != zygote
    assert {info.power_state for info in host.driver.list()} == {PowerState.RUNNING}


def test_zygote_goes_when_the_driver_does(host: Host) -> None:
    host.driver.power_on(host.spec())
    zygote = host.driver.zygote_pid
    assert zygote is not None
    host.replace_driver()
    assert process.start_time(zygote) is None


def test_hung_vmm_is_told_apart_and_power_off_ends_it(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nova_lite.hv.vmm_process.GRACE", 0.2)
    monkeypatch.setattr("nova_lite.hv.kvm.ANSWER", 0.5)
    spec = host.spec()
    info = host.driver.power_on(spec)
    os.kill(info.pid, signal.SIGSTOP)
    with pytest.raises(DriverError, match="does not answer"):
        host.driver.info(spec.uuid)
    assert [(found.power_state, found.pid) for found in host.driver.list()] == [(PowerState.NOSTATE, info.pid)]
    host.driver.power_off(spec.uuid)
    assert host.vmms() == [] and host.driver.info(spec.uuid).power_state == PowerState.SHUTDOWN


def test_vmm_holds_neither_privileges_nor_descriptors_it_does_not_need(host: Host) -> None:
    info = host.driver.power_on(host.spec())
    status = dict(line.split(":\t", 1) for line in Path(f"/proc/{info.pid}/status").read_text().splitlines())
    assert {int(status[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {0}
    assert status["NoNewPrivs"] == "1" and status["Name"].startswith("vmm-")
    stat = Path(f"/proc/{info.pid}/stat").read_text().rpartition(")")[2].split()
    parent, group, session = int(stat[1]), int(stat[2]), int(stat[3])
    assert parent not in (os.getpid(), host.driver.zygote_pid)
    assert group == session != os.getsid(0)
    wait_for(lambda: not _open_files(info.pid, "pipe:"), "the pipe to the driver closed after its last word")
    kinds = _open_files(info.pid)
    folder = str(host.paths.instance(info.uuid))
    files = [kind for kind in kinds if kind.startswith("/") and not kind.startswith(("/dev/", "/memfd:", folder))]
    assert files == []


def _open_files(pid: int, prefix: str = "") -> list[str]:
    """What the process has open, as the kernel names it."""
    found = []
    for fd in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            found.append(os.readlink(f"/proc/{pid}/fd/{fd}"))
    return [name for name in found if name.startswith(prefix)]


def test_capabilities_describe_the_host(host: Host) -> None:
    found = host.driver.capabilities()
    assert found.kvm_kind in ("kvm-intel", "kvm-amd", "kvm-pvm")
    assert found.vcpus == os.cpu_count() and found.memory_mb > 0 and found.local_gb > 0
    assert found.cpu_info["arch"] == "x86_64" and found.cpu_info["features"]


def test_console_log_is_bounded_and_outlives_reboots(host: Host) -> None:
    spec = host.spec()
    host.driver.power_on(spec)
    log = host.paths.console_log(spec.uuid)
    size = log.stat().st_size
    wait_for(lambda: b"data: 4000\n" in host.driver.console_output(spec.uuid, 65536), "more output than fits")
    assert log.stat().st_size == size < 70000
    host.driver.power_off(spec.uuid)
    before = host.driver.console_output(spec.uuid, 60)
    host.driver.power_on(spec)
    wait_for(lambda: before + b"out port: 16, data: 0\n" in host.driver.console_output(spec.uuid, 65536), "both boots")
    assert lock_holder(host.paths.vmm_socket(spec.uuid)) == host.driver.info(spec.uuid).pid
