"""Images come from a real Glance and go there: proxy, servers, images of servers, and a Glance that fails."""

from __future__ import annotations

import base64
import contextlib
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.companions import processes
from tests.companions.cloud import People, call
from tests.companions.conftest import settings
from tests.serving import PATIENCE, Serving, state_folder

pytestmark = pytest.mark.timeout(900)  # Keystone and Glance are started first, on a machine that may be busy

_GUESTS = Path(__file__).parents[2] / "nova_lite" / "hv" / "guests"
_LONG = 3 * PATIENCE


@pytest.fixture(scope="module")
def glance(people: People, bin_: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[processes.Glance]:
    made = processes.Glance(tmp_path_factory.mktemp("glance") / "glance", bin_, people.keystone.url)
    people.add_endpoint("image", "glance", made.process.url, "GlanceRegion")
    with processes.running(made.process):
        yield made


@pytest.fixture(scope="module")
def cloud(people: People, glance: processes.Glance, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """nova_lite on real VMs where there is KVM, with that Glance's images."""
    conf = tmp_path_factory.mktemp("nova-lite") / "nova-lite.conf"
    conf.write_text(settings(people) + "[image]\nservice = glance\n[glance]\nregion_name = GlanceRegion\n")
    driver = "kvm" if os.access("/dev/kvm", os.R_OK | os.W_OK) else "fake"
    with state_folder() as state, Serving(state, "--driver", driver, config=conf) as serving:
        people.add_endpoint("compute", "nova", f"{serving.url}/v2.1", "GlanceRegion")
        yield serving


@pytest.fixture(scope="module")
def images(people: People, glance: processes.Glance, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Ids of a kernel, and of a private disk of project demo that is booted with it."""
    disk = tmp_path_factory.mktemp("images") / "disk"
    disk.write_bytes(b"a disk's first sector".ljust(1 << 20, b"\0"))
    kernel = _upload(people, "kernel", _GUESTS / "interactive.elf", "aki", "aki")
    return {"kernel": kernel, "disk": _upload(people, "disk", disk, "raw", "bare", "--property", f"kernel_id={kernel}")}


def _upload(people: People, name: str, file: Path, form: str, container: str, *more: str) -> str:
    formats = ["--disk-format", form, "--container-format", container]
    made = people.openstack(
        "ada", "demo", "image", "create", *formats, "--file", str(file), *more, name, region="GlanceRegion"
    )
    assert made["status"] == "active"
    return str(made["id"])


def _request(cloud: Serving, people: People, method: str, path: str, body: Any = None, user: str = "ada") -> Any:
    project = {"ada": "demo", "eve": "other"}[user]
    status, headers, document = call(method, f"{cloud.url}/v2.1{path}", people.token(user, project), body)
    return status, document


def _create(cloud: Serving, people: People, image: str, user: str = "ada") -> tuple[int, Any]:
    body = {"server": {"name": "s", "imageRef": image, "flavorRef": "40"}}  # m1.pico: the image's own size
    status, document = _request(cloud, people, "POST", "/servers", body, user)
    return status, document


def _settled(cloud: Serving, people: People, server: str) -> dict[str, Any]:
    deadline = time.monotonic() + _LONG
    token = people.token("ada", "demo")
    while True:
        shown = call("GET", f"{cloud.url}/v2.1/servers/{server}", token)[2]["server"]
        if shown["status"] in ("ACTIVE", "ERROR") and shown["OS-EXT-STS:task_state"] is None:
            return dict(shown)
        assert time.monotonic() < deadline, shown
        time.sleep(0.2)


@contextlib.contextmanager
def _agent_waits(cloud: Serving) -> Iterator[None]:
    agent = cloud.children()["agent"]
    os.kill(agent, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(agent, signal.SIGCONT)


def test_the_proxy_shows_each_user_glances_images(people: People, cloud: Serving, images: dict[str, str]) -> None:
    status, document = _request(cloud, people, "GET", "/images/detail?name=disk")
    assert status == 200
    assert [(image["id"], image["status"]) for image in document["images"]] == [(images["disk"], "ACTIVE")]
    assert document["images"][0]["metadata"]["kernel_id"] == images["kernel"]
    assert _request(cloud, people, "GET", f"/images/{images['disk']}")[0] == 200
    assert _request(cloud, people, "GET", f"/images/{images['disk']}", user="eve")[0] == 404
    assert _request(cloud, people, "GET", "/images", user="eve")[1] == {"images": []}
    assert call("GET", f"{cloud.url}/image/v2/images", None)[0] == 300  # the embedded service is off


def test_a_server_boots_an_image_of_glances_and_an_image_of_it_comes_to_glance(
    people: People, cloud: Serving, images: dict[str, str]
) -> None:
    status, document = _create(cloud, people, images["disk"])
    assert status == 202, document
    server = document["server"]["id"]
    shown = _settled(cloud, people, server)
    assert shown["status"] == "ACTIVE", shown.get("fault")
    assert shown["image"]["id"] == images["disk"]
    people.openstack(
        "ada", "demo", "server", "image", "create", "--name", "shot", "--wait", server, region="GlanceRegion"
    )
    shot = people.openstack("ada", "demo", "image", "show", "shot", region="GlanceRegion")
    assert (shot["status"], shot["visibility"], shot["owner"]) == ("active", "private", people.ids["demo"])
    properties = shot["properties"]
    assert properties["image_type"] == "snapshot"
    assert properties["base_image_ref"] == images["disk"]
    assert shot["size"] >= 1 << 20
    status, document = _create(cloud, people, shot["id"])
    assert status == 202, document
    again = document["server"]["id"]
    assert _settled(cloud, people, again)["status"] == "ACTIVE"
    assert _request(cloud, people, "DELETE", f"/images/{shot['id']}")[0] == 204
    assert _request(cloud, people, "GET", f"/images/{shot['id']}")[0] == 404
    for one in (server, again):
        assert _request(cloud, people, "DELETE", f"/servers/{one}")[0] == 204


def test_nobody_boots_what_glance_does_not_show_him(people: People, cloud: Serving, images: dict[str, str]) -> None:
    for image in (images["disk"], "00000000-0000-0000-0000-000000000000"):
        status, document = _create(cloud, people, image, "eve")
        assert (status, document["badRequest"]["message"]) == (400, "Can not find requested image")


def _uploaded(people: People, tmp_path: Path, name: str, *more: str) -> str:
    file = tmp_path / name
    file.write_bytes(base64.b64encode(name.encode()).ljust(1 << 16, b"\0"))
    return _upload(people, name, file, "raw", "bare", *more)


def test_an_image_that_vanishes_before_it_came_is_the_servers_fault(
    people: People, cloud: Serving, glance: processes.Glance, images: dict[str, str], tmp_path: Path
) -> None:
    image = _uploaded(people, tmp_path, "vanishing")
    with _agent_waits(cloud):
        status, document = _create(cloud, people, image)
        assert status == 202
        call("DELETE", f"{glance.process.url}/v2/images/{image}", people.token("ada", "demo"))
    shown = _settled(cloud, people, document["server"]["id"])
    assert shown["status"] == "ERROR"
    assert f"Image {image} could not be found" in shown["fault"]["message"]


def test_data_that_is_not_what_glance_says_is_not_booted(
    people: People, cloud: Serving, glance: processes.Glance, images: dict[str, str], tmp_path: Path
) -> None:
    image = _uploaded(people, tmp_path, "changed")
    file = glance.store / image
    file.chmod(0o600)
    file.write_bytes(b"X" + file.read_bytes()[1:])
    status, document = _create(cloud, people, image)
    assert status == 202
    shown = _settled(cloud, people, document["server"]["id"])
    assert shown["status"] == "ERROR"
    assert "digest differs" in shown["fault"]["message"]


def test_while_glance_is_away_users_are_told_so_and_servers_fail_clearly(
    people: People, cloud: Serving, glance: processes.Glance, images: dict[str, str], tmp_path: Path
) -> None:
    image = _uploaded(people, tmp_path, "late", "--property", f"kernel_id={images['kernel']}")
    with _agent_waits(cloud):
        status, document = _create(cloud, people, image)
        assert status == 202
        glance.process.stop()
    try:
        shown = _settled(cloud, people, document["server"]["id"])
        assert shown["status"] == "ERROR"
        assert "cannot be reached" in shown["fault"]["message"]
        for method, path in (("GET", "/images"), ("GET", f"/images/{image}")):
            assert _request(cloud, people, method, path)[0] == 503
        assert _create(cloud, people, image)[0] == 503
    finally:
        glance.process.again()
    status, document = _create(cloud, people, image)
    assert status == 202
    assert _settled(cloud, people, document["server"]["id"])["status"] == "ACTIVE"
