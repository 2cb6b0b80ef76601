"""Fixtures: one Keystone for all tests, its people, and a nova_lite that asks it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.companions import processes
from tests.companions.cloud import People
from tests.serving import Serving, state_folder


@pytest.fixture(scope="session")
def bin_() -> Path:
    return processes.programs()


@pytest.fixture(scope="session")
def people(bin_: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[People]:
    keystone = processes.Keystone(tmp_path_factory.mktemp("companions") / "keystone", bin_)
    with processes.running(keystone.process):
        made = People(keystone, bin_)
        made.make()
        yield made


def settings(people: People) -> str:
    """nova_lite's configuration: log in to this Keystone, ask it at each request."""
    return f"""[api]
auth_strategy = keystone
[keystone_authtoken]
www_authenticate_uri = {people.keystone.url}
auth_url = {people.keystone.url}
auth_type = password
username = nova
password = {processes.PASSWORD}
project_name = service
user_domain_id = default
project_domain_id = default
token_cache_time = -1
http_request_max_retries = 0
"""


@pytest.fixture(scope="session")
def cloud(people: People, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """nova_lite in that Keystone's catalog, servers by the fake driver."""
    conf = tmp_path_factory.mktemp("nova-lite") / "nova-lite.conf"
    conf.write_text(settings(people))
    with state_folder() as state, Serving(state, "--driver", "fake", config=conf) as serving:
        people.add_endpoint("compute", "nova", f"{serving.url}/v2.1")
        people.add_endpoint("image", "nova-image", f"{serving.url}/image")
        yield serving
