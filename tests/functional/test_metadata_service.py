"""The metadata service with real bridges and real HTTP, in a network namespace of the test's own."""

from __future__ import annotations

import base64
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from nova_lite import objects
from nova_lite.cli.main import main
from nova_lite.compute import networks
from nova_lite.compute.wiring import layout_of
from nova_lite.network import links
from nova_lite.network.host import HostNetwork
from nova_lite.network.host_objects import sockets_listening
from nova_lite.network.layout import METADATA_ADDRESS, METADATA_PORT
from tests import netns
from tests.unit.computing import HOST, Computing, eventually
from tests.veth_guest import VethGuest

SERVICE = (METADATA_ADDRESS, METADATA_PORT)
PATIENCE = 60.0


class Cloud:
    """A database with two networks, the host's side of them, and guests; no agent, no machines."""

    def __init__(self, folder: Path) -> None:
        self.computing = Computing(folder / "state", None)
        self.computing.know_host()
        self.blue = networks.create_network(self.computing.database, HOST, "blue", "10.5.0.0/24", is_default=True)
        self.red = networks.create_network(self.computing.database, HOST, "red", "10.6.0.0/24")
        self.host = HostNetwork(self.computing.paths.state, Path(f"/run/nova-lite-test-{os.getpid()}"))
        self.guests: list[VethGuest] = []
        self.service: subprocess.Popen[bytes] | None = None
        self.log = folder / "service.log"

    def start(self) -> None:
        environment = os.environ | {
            "OS_DEFAULT__STATE_PATH": str(self.computing.paths.state),
            "OS_DEFAULT__HOST": HOST,
        }
        command = [sys.executable, "-m", "nova_lite.metadata.service"]
        with self.log.open("ab") as log:
            self.service = subprocess.Popen(command, env=environment, stderr=log)

    def server(self, name: str, network: objects.Network, **wanted: Any) -> tuple[objects.Instance, VethGuest]:
        """A server and its guest, connected."""
        made = self.computing.create(name, networks=[{"uuid": network.id}], **wanted)
        return made, self.connected(made)

    def connected(self, server: objects.Instance) -> VethGuest:
        with self.computing.database.read() as connection:
            layout = layout_of(connection, HOST)
        port_id = self.computing.api.ports([server.uuid])[server.uuid][0].id
        port = layout.ports[port_id]
        self.guests.append(VethGuest(port, layout.networks[port.network_id]))
        self.host.add(layout, [port])
        return self.guests[-1]

    def close(self) -> None:
        if self.service is not None:
            self.service.send_signal(signal.SIGTERM)
            assert self.service.wait(PATIENCE) == 0, self.log.read_text()
        for guest in self.guests:
            guest.close()
        self.host.clean()
        self.host.run_path.parent.rmdir()
        self.computing.close()


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Cloud]:
    with netns.entered():
        made = Cloud(tmp_path)
        yield made
        made.close()


def connected(guest: VethGuest) -> socket.socket:
    """A connection as soon as the service listens: until then it is refused, or its first packet lost."""

    def attempt() -> socket.socket | None:
        try:
            return guest.connect(SERVICE, seconds=2.0)
        except OSError:
            return None

    made: socket.socket = eventually(attempt, "the service listens")
    made.settimeout(PATIENCE)
    return made


def asked(guest: VethGuest, path: str, method: str = "GET", body: bytes | None = None) -> tuple[int, bytes]:
    with connected(guest) as line:
        client = http.client.HTTPConnection(METADATA_ADDRESS)
        client.sock = line
        client.request(method, path, body)
        answer = client.getresponse()
        return answer.status, answer.read()


def said(guest: VethGuest, sent: bytes) -> bytes:
    """Everything that comes back until the service closes."""
    with connected(guest) as line:
        line.sendall(sent)
        heard = b""
        while data := line.recv(65536):
            heard += data
        return heard


def uuid_of(guest: VethGuest) -> str:
    status, body = asked(guest, "/openstack/latest/meta_data.json")
    assert status == 200
    return str(json.loads(body)["uuid"])


def test_each_server_sees_itself_whatever_it_says(cloud: Cloud) -> None:
    cloud.start()
    one, guest = cloud.server("one", cloud.blue)
    two, neighbour = cloud.server("two", cloud.blue)
    three, far = cloud.server("three", cloud.red)  # its bridge comes when the service runs already
    assert [uuid_of(guest), uuid_of(neighbour), uuid_of(far)] == [one.uuid, two.uuid, three.uuid]
    lies = (
        f"GET /openstack/latest/meta_data.json HTTP/1.1\r\nHost: {METADATA_ADDRESS}\r\nConnection: close\r\n"
        f"X-Forwarded-For: {neighbour.port.addresses[0]}\r\nX-Instance-ID: {two.uuid}\r\n\r\n"
    )
    answer = said(guest, lies.encode())
    assert one.uuid.encode() in answer and two.uuid.encode() not in answer
    assert sockets_listening() == 2


def test_another_guests_address_is_of_no_use(cloud: Cloud) -> None:
    cloud.start()
    _, guest = cloud.server("one", cloud.blue)
    _, neighbour = cloud.server("two", cloud.blue)
    uuid_of(guest)
    guest.take(neighbour.port.addresses[0])
    with pytest.raises(TimeoutError):
        guest.connect(SERVICE, seconds=2.0)


def test_strangers_find_nothing(cloud: Cloud) -> None:
    cloud.start()
    made, guest = cloud.server("one", cloud.blue)
    uuid_of(guest)
    with guest.connect(SERVICE) as line:  # what it could ask when it was there, it cannot when it is not
        client = http.client.HTTPConnection(METADATA_ADDRESS)
        client.sock = line
        client.request("GET", "/latest/meta-data/hostname")
        assert client.getresponse().read() == b"one.novalocal"
        with cloud.computing.database.write() as connection:
            networks.db_networks.release(connection, made.uuid)
        for path in ("/", "/openstack", "/latest/meta-data/hostname"):
            client.request("GET", path)
            answer = client.getresponse()
            assert (answer.status, answer.read()) == (404, b"404 Not Found\n")


def test_only_get_and_head_but_for_the_password(cloud: Cloud) -> None:
    cloud.start()
    _, guest = cloud.server("one", cloud.blue)
    status, body = asked(guest, "/latest/meta-data/hostname")
    assert (status, body) == (200, b"one.novalocal")
    assert asked(guest, "/latest/meta-data/hostname", "HEAD") == (200, b"")
    head = said(guest, b"HEAD /latest/meta-data/hostname HTTP/1.0\r\n\r\n")
    assert b"content-length: 13\r\n" in head.lower() and head.endswith(b"\r\n\r\n")
    assert asked(guest, "/latest/api/token", "PUT", b"x")[0] == 405
    for path in ("/openstack/2012-08-10/password", "/openstack/latest/user_data", "/latest/password"):
        assert asked(guest, path, "POST", b"secret")[0] == 405
    assert asked(guest, "http://169.254.169.254/latest/meta-data/hostname")[0] == 200
    assert asked(guest, "/latest/meta-data/../meta-data/hostname/?x=1")[0] == 200
    assert asked(guest, "/../../etc/passwd")[0] == 404


def test_a_guest_leaves_a_password_for_its_owner_once(cloud: Cloud) -> None:
    cloud.start()
    made, guest = cloud.server("one", cloud.blue)
    path, api = "/openstack/latest/password", cloud.computing.api
    assert asked(guest, path) == (200, b"")
    for wrong in (b"x" * 1021, "ä".encode(), b"a\x00b"):
        assert asked(guest, path, "POST", wrong)[0] == 400
    assert asked(guest, path, "POST", b"c2VjcmV0\n")[0] == 200
    assert asked(guest, path, "POST", b"another")[0] == 409
    assert asked(guest, "/openstack/2013-04-04/password") == (200, b"c2VjcmV0")
    assert cloud.computing.get(made).system_metadata == {"password": "c2VjcmV0"}
    api.clear_server_password(cloud.computing.me, cloud.computing.get(made))
    assert asked(guest, path, "POST", b"y" * 1020)[0] == 200


NO_REQUESTS = (
    (b"GET / HTTP/1.1\r\nX: " + b"x" * 20000 + b"\r\n\r\n", b"431"),
    (b"GET /" + b"x" * 20000, b"431"),
    (b"hello\r\n\r\n", b"400"),
    (b"GET / HTTP/1.1\r\n\r\n", b"400"),  # without a Host
    (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", b"400"),
    (b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", b"400"),
    (b"GET /latest HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n", b"200"),
    (b"POST /latest HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", b"400"),
)


def test_what_is_no_request_is_answered_and_hung_up_on(cloud: Cloud) -> None:
    cloud.start()
    made, guest = cloud.server("one", cloud.blue)
    for sent, status in NO_REQUESTS:
        heard = said(guest, sent)
        assert heard.startswith(b"HTTP/1.1 ") and heard[9:12] == status, (sent[:80], heard)
    assert uuid_of(guest) == made.uuid


def test_a_guest_has_few_connections_and_takes_no_other_guests(cloud: Cloud) -> None:
    cloud.start()
    _, greedy = cloud.server("greedy", cloud.blue)
    modest, other = cloud.server("modest", cloud.blue)
    connected(greedy).close()
    held = [greedy.connect(SERVICE) for _ in range(40)]
    try:
        refused = 0
        for line in held:  # those above the limit end at once, the others when they have been silent for too long
            line.settimeout(0.2)
            try:
                refused += line.recv(1) == b""
            except TimeoutError:
                continue
            except OSError:
                refused += 1
        assert refused >= 24
        assert uuid_of(other) == modest.uuid
        for line in held:
            line.settimeout(PATIENCE)
            try:
                assert line.recv(1) == b""
            except ConnectionResetError:
                continue
    finally:
        for line in held:
            line.close()
    assert uuid_of(greedy)


def test_a_bridge_that_is_made_again_is_served_again(cloud: Cloud) -> None:
    cloud.start()
    made, guest = cloud.server("one", cloud.blue)
    assert uuid_of(guest) == made.uuid
    links.remove(guest.port.tap)
    links.remove(links.ours()[0].name)
    assert uuid_of(cloud.connected(made)) == made.uuid


def test_host_status_tells_whether_it_is_served(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OS_NETWORK__ENABLED", "true")

    def status() -> str:
        state = str(cloud.computing.paths.state)
        return CliRunner().invoke(main, ["--state-path", state, "host", "status"], prog_name="nova-lite").output

    assert "metadata: no server is on a network now" in status()
    _, guest = cloud.server("one", cloud.blue)
    assert "metadata: not served to 1 networks: is the service running?" in status()
    cloud.start()
    uuid_of(guest)
    assert "metadata: served on 1 networks of this host" in status()
    monkeypatch.setenv("OS_NETWORK__METADATA_SERVICE", "false")
    assert "metadata: none, [network] metadata_service is false" in status()


def test_it_runs_with_one_right_only(cloud: Cloud) -> None:
    cloud.start()
    _, guest = cloud.server("one", cloud.blue)
    uuid_of(guest)
    assert cloud.service is not None
    status = Path(f"/proc/{cloud.service.pid}/status").read_text()
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert [int(fields[name], 16) for name in ("CapPrm", "CapEff", "CapBnd")] == [1 << 10] * 3
    assert fields["NoNewPrivs"] == "1"


@pytest.mark.parametrize("content", [None, "[]"])
def test_vendor_data_that_cannot_be_read_is_said_in_the_log(
    cloud: Cloud, content: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "vendor.json"
    if content is not None:
        file.write_text(content)
    monkeypatch.setenv("OS_API__VENDORDATA_JSONFILE_PATH", str(file))
    cloud.start()
    _, guest = cloud.server("one", cloud.blue)
    assert asked(guest, "/openstack/latest/vendor_data.json")[0] == 503
    assert f"vendordata_jsonfile_path: {file}" in cloud.log.read_text()


def test_user_data_arrives_whole(cloud: Cloud) -> None:
    content = os.urandom(48_000)
    cloud.start()
    _, guest = cloud.server("one", cloud.blue, user_data=base64.b64encode(content).decode())
    assert asked(guest, "/openstack/latest/user_data") == (200, content)


