"""The VMM's REST API over a real machine: every endpoint, every code, in and out of order."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import jsonschema_rs
import pytest

from nova_lite.hv import console_log
from nova_lite.hv.vmm import unix_socket
from nova_lite.hv.vmm.config import SCHEMAS
from nova_lite.hv.vmm.http_api import BASE, ENDPOINTS, MAX_BODY, MAX_CONNECTIONS
from tests.kvm.vmm_process import COUNTING, INTERACTIVE, MIB, PATIENCE, Vmm, config, dumps, needs_kvm, wait_for

pytestmark = needs_kvm


@pytest.fixture(scope="module")
def shared_vmm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vmm]:
    with Vmm(tmp_path_factory.mktemp("vmm") / "api.sock") as process:
        yield process


@pytest.fixture
def vmm(shared_vmm: Vmm) -> Iterator[Vmm]:
    """A VMM without a machine; one process serves all tests, which is a test as well."""
    yield shared_vmm
    shared_vmm.put("vm.delete")


def test_ping_names_version_and_process(vmm: Vmm) -> None:
    answer = vmm.get("vmm.ping")
    assert answer["pid"] == vmm.process.pid
    assert answer["version"] and answer["build_version"]


def test_curl_leads_a_machine_through_its_whole_life(tmp_path: Path) -> None:
    with Vmm(tmp_path / "api.sock") as vmm:
        _lead_through_life(vmm, tmp_path / "console.log")


def _lead_through_life(vmm: Vmm, log: Path) -> None:
    body = dumps(config(COUNTING, console_log={"file": str(log), "size": 65536}))
    assert vmm.curl("PUT", "vm.create", "-H", "Content-Type: application/json", "-d", body)[0] == 204
    assert vmm.curl("GET", "vm.info")[0] == 200
    assert vmm.curl("PUT", "vm.boot")[0] == 204
    wait_for(lambda: b"out port: 16, data: 1000\n" in console_log.read_tail(log, 65536), "output of the guest")
    status, headers, body = vmm.curl("GET", "vm.counters")
    assert status == 200 and headers["content-type"] == "application/json" and '"vcpu0"' in body
    assert vmm.curl("PUT", "vm.pause")[0] == 204
    assert vmm.state() == "Paused"
    assert vmm.curl("PUT", "vm.resume")[0] == 204
    assert vmm.curl("PUT", "vm.reboot")[0] == 204
    assert vmm.state() == "Running"
    assert vmm.curl("PUT", "vm.shutdown")[0] == 204
    assert vmm.state() == "Shutdown"
    assert vmm.curl("PUT", "vm.delete")[0] == 204
    assert vmm.curl("GET", "vm.info")[0] == 404
    status, headers, _ = vmm.curl("PUT", "vmm.shutdown")
    assert status == 204 and headers["server"].startswith("nova-lite-vmm/")
    assert vmm.process.wait(PATIENCE) == 0
    assert not vmm.socket.exists() and not Path(f"{vmm.socket}.lock").exists()


def test_pause_stops_the_output_and_resume_continues_it(vmm: Vmm, tmp_path: Path) -> None:
    log = tmp_path / "console.log"
    vmm.put("vm.create", config(COUNTING, console_log={"file": str(log)}))
    vmm.put("vm.boot")
    wait_for(lambda: console_log.read_tail(log, 100), "output")
    vmm.put("vm.pause")
    lines = vmm.get("vm.counters")["port_console"]["lines"]
    tail = console_log.read_tail(log, 100)
    assert not threading.Event().wait(0.3)
    assert vmm.get("vm.counters")["port_console"]["lines"] == lines
    assert console_log.read_tail(log, 100) == tail
    vmm.put("vm.resume")
    wait_for(lambda: vmm.get("vm.counters")["port_console"]["lines"] > lines, "more output")


def test_reboot_counts_from_nought_again(vmm: Vmm, tmp_path: Path) -> None:
    log = tmp_path / "console.log"
    vmm.put("vm.create", config(COUNTING, console_log={"file": str(log), "size": 1 << 20}))
    vmm.put("vm.boot")
    wait_for(lambda: b"data: 50\n" in console_log.read_tail(log, 1 << 20), "output")
    vmm.put("vm.pause")
    vmm.put("vm.reboot")  # a paused machine runs after a reboot
    wait_for(lambda: console_log.read_tail(log, 1 << 20).count(b"out port: 16, data: 0\n") == 2, "a second start")


#: command → states from which it must be refused, and how.
_NOT_CREATED = ["vm.boot", "vm.shutdown", "vm.reboot", "vm.pause", "vm.resume"]
_WRONG = {
    "Created": ["vm.shutdown", "vm.reboot", "vm.pause", "vm.resume"],
    "Running": ["vm.boot", "vm.resume"],
    "Paused": ["vm.boot", "vm.pause"],
    "Shutdown": ["vm.shutdown", "vm.reboot", "vm.pause", "vm.resume"],
}


def test_commands_without_a_machine_are_404(vmm: Vmm) -> None:
    for command in _NOT_CREATED:
        assert vmm.refusal("PUT", command).status == 404
    for question in ("vm.info", "vm.counters"):
        assert vmm.refusal("GET", question).status == 404
    vmm.put("vm.delete")


def test_commands_in_the_wrong_state_are_405_and_name_it(vmm: Vmm) -> None:
    vmm.put("vm.create", config(COUNTING))
    ways = {"Created": [], "Running": ["vm.boot"], "Paused": ["vm.pause"], "Shutdown": ["vm.shutdown"]}
    for state, way in ways.items():
        for command in way:
            vmm.put(command)
        for command in _WRONG[state]:
            error = vmm.refusal("PUT", command)
            assert error.status == 405 and state in str(error), (state, command)
        if state in ("Created", "Shutdown"):
            assert vmm.refusal("GET", "vm.counters").status == 405
        assert vmm.state() == state


def test_second_create_is_409_until_deleted(vmm: Vmm) -> None:
    vmm.put("vm.create", config(COUNTING))
    assert vmm.refusal("PUT", "vm.create", config(COUNTING)).status == 409
    vmm.put("vm.boot")
    assert vmm.refusal("PUT", "vm.create", config(COUNTING)).status == 409
    vmm.put("vm.delete")
    vmm.put("vm.create", config(INTERACTIVE))
    assert vmm.state() == "Created"


def test_shutdown_machine_boots_again(vmm: Vmm) -> None:
    vmm.put("vm.create", config(COUNTING))
    for _ in range(3):
        vmm.put("vm.boot")
        assert vmm.state() == "Running"
        vmm.put("vm.shutdown")
        assert vmm.state() == "Shutdown"


def test_info_shows_the_configuration_in_its_normal_form(vmm: Vmm) -> None:
    vmm.put("vm.create", {"kernel": {"path": str(INTERACTIVE)}, "cmdline": {"args": "quiet"}})
    info = vmm.get("vm.info")
    assert info["config"]["payload"] == {"kernel": str(INTERACTIVE), "cmdline": "quiet"}
    assert info["config"]["cpus"] == {"boot_vcpus": 1, "max_vcpus": 1}
    assert info["memory_actual_size"] == info["config"]["memory"]["size"] == 512 * MIB


def test_answers_fit_their_schemas(vmm: Vmm) -> None:
    vmm.put("vm.create", config(INTERACTIVE, platform={"uuid": "6c5d4b3a-0000-4000-8000-000000000001"}))
    vmm.put("vm.boot")
    for name, schema in (("vmm.ping", "VmmPingResponse"), ("vm.info", "VmInfo"), ("vm.counters", "VmCounters")):
        jsonschema_rs.validate(SCHEMAS | {"$ref": f"#/$defs/{schema}"}, vmm.get(name))
    jsonschema_rs.validate(SCHEMAS | {"$ref": "#/$defs/VmEvent"}, vmm.events().first)


def test_wrong_method_is_405_and_says_which_is_right(vmm: Vmm) -> None:
    for name, endpoint in ENDPOINTS.items():
        for method in {"GET", "PUT", "POST", "DELETE", "PATCH", "OPTIONS"} - {endpoint.method}:
            status, headers, _ = vmm.curl(method, name)
            assert (status, headers["allow"]) == (405, endpoint.method), (method, name)


def test_unknown_paths_are_404_with_an_array_of_sentences(vmm: Vmm) -> None:
    for path in ("vm.add-fs", "", "vm.info/x"):
        status, headers, body = vmm.curl("GET", path)
        assert status == 404 and headers["content-type"] == "application/json"
        assert body.startswith('["') and body.endswith('"]')


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ('{"payload": {"kernel": "\\ud800"}}', "not JSON"),
        ("[]", "body"),
        ("null", "body"),
        ("{}", "payload"),
        ('{"payload": {}}', "payload.kernel"),
        ('{"payload": {"kernel": 3}}', "payload.kernel"),
        ('{"payload": {"kernel": "relative"}}', "payload.kernel"),
        ('{"payload": {"kernel": "/x\\u0000y"}}', "payload.kernel"),
        ('{"payload": {"kernel": "/x"}, "kernel": {"path": "/x"}}', "kernel"),
        ('{"payload": {"kernel": "/x", "firmware": "/y"}}', "payload.kernel: cannot stand beside payload.firmware"),
        ('{"payload": {"kernel": "/x"}, "pmem": [{"file": "/d"}]}', "pmem: is not supported yet"),
        ('{"payload": {"kernel": "/x"}, "disks": [{"path": "d"}]}', "disks.0.path: 'd' is not an absolute path"),
        ('{"payload": {"kernel": "/x"}, "disks": [{"path": "/d", "iommu": true}]}', "disks.0.iommu: is not supported"),
        ('{"payload": {"kernel": "/x"}, "colour": 1}', "colour: unknown key"),
        ('{"payload": {"kernel": "/x"}, "cpus": {"boot_vcpus": 0}}', "cpus.boot_vcpus"),
        ('{"payload": {"kernel": "/x"}, "cpus": {"boot_vcpus": 1e99}}', "cpus.boot_vcpus"),
        ('{"payload": {"kernel": "/x"}, "cpus": {"boot_vcpus": true}}', "cpus.boot_vcpus"),
        ('{"payload": {"kernel": "/x"}, "cpus": {"boot_vcpus": 4, "max_vcpus": 2}}', "cpus.max_vcpus"),
        ('{"payload": {"kernel": "/x"}, "memory": {"size": 12345678}}', "memory.size"),
        ('{"payload": {"kernel": "/x"}, "memory": {"size": 99999999999999999999}}', "memory.size"),
        ('{"payload": {"kernel": "/x"}, "serial": {"mode": "File"}}', "serial.file"),
        ('{"payload": {"kernel": "/x"}, "serial": {"mode": "tty"}}', "serial.mode"),
        ('{"payload": {"kernel": "/x"}, "platform": {"uuid": "no"}}', "platform.uuid"),
    ],
)
def test_bad_configurations_are_400_and_name_the_key(vmm: Vmm, tmp_path: Path, body: str, named: str) -> None:
    file = tmp_path / "body"
    file.write_text(body)
    status, _, answer = vmm.curl("PUT", "vm.create", "--data-binary", f"@{file}")
    assert status == 400 and named in answer
    assert vmm.refusal("GET", "vm.info").status == 404


def test_missing_body_is_400(vmm: Vmm) -> None:
    status, _, answer = vmm.curl("PUT", "vm.create")
    assert status == 400 and "no body" in answer


def test_too_large_a_body_is_413(vmm: Vmm, tmp_path: Path) -> None:
    file = tmp_path / "body"
    file.write_bytes(b" " * (MAX_BODY + 1))
    assert vmm.curl("PUT", "vm.create", "--data-binary", f"@{file}")[0] == 413
    assert vmm.get("vmm.ping")


@pytest.mark.parametrize(
    ("request_head", "status"),
    [
        (b"PUT /api/v1/vm.create HTTP/1.1\r\nContent-Length: -1\r\n\r\n", b"400"),
        (b"PUT /api/v1/vm.create HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", b"400"),
        (b"PUT /api/v1/vm.create HTTP/1.1\r\nContent-Length: 99999999999999999999999\r\n\r\n", b"413"),
        (b"PUT /api/v1/vm.create HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b"411"),
        (b"PUT /api/v1/vm.create HTTP/9.9\r\n\r\n", b"505"),
        (b"BREW /api/v1/vm.create HTTP/1.1\r\n\r\n", b"501"),
        (b"GET /" + b"a" * 70000 + b" HTTP/1.1\r\n\r\n", b"414"),
        (b"\x16\x03\x01 \xff\xfe\r\n\r\n", b"400"),
    ],
)
def test_broken_requests_are_refused_in_the_usual_form(vmm: Vmm, request_head: bytes, status: bytes) -> None:
    with unix_socket.connect(vmm.socket, PATIENCE) as connection:
        connection.sendall(request_head)
        answer = b""
        while data := connection.recv(65536):
            answer += data
    assert answer.split()[1] == status and answer.endswith(b'"]')
    assert vmm.get("vmm.ping")


def test_one_connection_serves_many_requests(vmm: Vmm) -> None:
    with unix_socket.connect(vmm.socket, PATIENCE) as connection:
        for _ in range(3):
            connection.sendall(f"GET {BASE}vmm.ping HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            assert connection.recv(4096).startswith(b"HTTP/1.1 200 ")


def test_stuck_clients_keep_nobody_out(vmm: Vmm) -> None:
    stuck = [unix_socket.connect(vmm.socket, PATIENCE) for _ in range(3 * MAX_CONNECTIONS)]
    for number, connection in enumerate(stuck):
        head = b"PUT /api/v1/vm.create HTTP/1.1\r\nContent-Length: 10\r\n\r\n{"
        try:
            connection.sendall(head[: 1 + number])
        except OSError:
            continue  # cut off already, to let a later one in
    assert vmm.get("vmm.ping")
    assert vmm.put("vm.create", config(COUNTING)) is None
    for connection in stuck:
        connection.close()


def test_many_clients_at_once_are_all_answered(vmm: Vmm) -> None:
    vmm.put("vm.create", config(COUNTING))
    vmm.put("vm.boot")

    def ask(number: int) -> str:
        return vmm.state() if number % 2 else str(vmm.get("vmm.ping")["pid"])

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, range(60)))
    assert set(answers) == {"Running", str(vmm.process.pid)}


def test_commands_of_several_clients_are_done_one_after_the_other(vmm: Vmm) -> None:
    vmm.put("vm.create", config(COUNTING))

    def boot(_number: int) -> int:
        try:
            vmm.put("vm.boot")
        except Exception as error:  # VmmRefused with the status
            return int(error.status)  # type: ignore[attr-defined]
        return 204

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(boot, range(8))) == [204] + [405] * 7


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "does not exist"), (b"", "empty"), (b"\x7fELF", "truncated"), (b"MZ" + bytes(600), "PE/EFI")],
)
def test_unusable_kernel_leaves_the_machine_created(vmm: Vmm, tmp_path: Path, content: bytes | None, said: str) -> None:
    kernel = tmp_path / "kernel"
    if content is not None:
        kernel.write_bytes(content)
    vmm.put("vm.create", config(kernel))
    error = vmm.refusal("PUT", "vm.boot")
    assert error.status == 400 and said in str(error) and str(tmp_path) not in str(error)
    assert vmm.state() == "Created"
    kernel.write_bytes(COUNTING.read_bytes())
    vmm.put("vm.boot")
    assert vmm.state() == "Running"


def test_kernel_that_vanished_ends_a_reboot_in_shutdown(vmm: Vmm, tmp_path: Path) -> None:
    kernel = tmp_path / "kernel"
    kernel.write_bytes(COUNTING.read_bytes())
    vmm.put("vm.create", config(kernel))
    vmm.put("vm.boot")
    kernel.unlink()
    assert "does not exist" in str(vmm.refusal("PUT", "vm.reboot"))
    assert vmm.state() == "Shutdown"


def test_events_tell_of_every_step(vmm: Vmm) -> None:
    events = vmm.events()
    assert events.first == {"event": "subscribed", "initiator": "api", "state": None, "detail": ""}
    vmm.put("vm.create", config(COUNTING))
    seen = []
    for command in ("vm.boot", "vm.pause", "vm.resume", "vm.reboot", "vm.shutdown", "vm.delete"):
        vmm.put(command)
    while not seen or seen[-1][0] != "deleted":
        event = events.next()
        seen.append((event["event"], event["state"]))
    assert seen == [
        ("created", "Created"),
        ("booted", "Running"),
        ("paused", "Paused"),
        ("resumed", "Running"),
        ("rebooted", "Running"),
        ("shutdown", "Shutdown"),
        ("deleted", None),
    ]


def test_follower_that_does_not_read_is_cut_off(vmm: Vmm) -> None:
    vmm.put("vm.create", config(COUNTING))
    vmm.put("vm.boot")
    steps = 300  # two events each; a socket's buffer holds fewer
    with unix_socket.connect(vmm.socket, PATIENCE) as slow:
        slow.sendall(b"GET /api/v1/vm.events HTTP/1.1\r\n\r\n")
        for _ in range(steps):
            vmm.put("vm.pause")
            vmm.put("vm.resume")
        seen = b""
        while data := slow.recv(1 << 20):
            seen += data
    assert 1 < seen.count(b"\n") < 2 * steps
    assert vmm.state() == "Running"
