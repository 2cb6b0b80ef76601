"""openstacksdk's own functional cases of compute and of what servers need, as its package has them."""

from __future__ import annotations

import re
import secrets

import yaml

from tests.clients.conftest import Clients

CASES = "openstack.tests.functional."
MODULES = ("compute.v2", "cloud.test_compute", "cloud.test_image", "cloud.test_inventory", "image.v2.test_image")
#: Those that cannot be on this cloud; docs/compatibility.md says why.
LEFT_OUT = ("test_range_search", "TestInventory", "test_server_remote_console")
PATIENCE = 1800.0  # seconds for all of them


def test_openstacksdks_own_functional_cases(clients: Clients) -> None:
    clouds = clients.folder / "sdk-clouds.yaml"
    clouds.write_text(yaml.safe_dump(_clouds(clients)))
    (clients.folder / "CONTRIBUTING.rst").write_text("What two of them upload as an image: a file of its sources.")
    said = clients.run(
        *("python", "-m", "pytest", "-q", "-p", "no:cacheprovider", "--tb=short", "--show-capture=no"),
        *("-k", " and ".join(f"not {name}" for name in LEFT_OUT)),
        *("--pyargs", *(CASES + module for module in MODULES)),
        patience=PATIENCE,
        OS_CLIENT_CONFIG_FILE=str(clouds),
        OS_CLOUD="devstack-admin",
        OS_TEST_TIMEOUT="600",
    )
    assert re.search(r"\d+ passed", said) and "failed" not in said


def _clouds(clients: Clients) -> dict[str, object]:
    """Under DevStack's names: an administrator, and users of two projects."""
    admin = yaml.safe_load((clients.cloud.serving.state / "clouds.yaml").read_text())["clouds"]["nova-lite"]
    found = {"devstack-admin": admin, "devstack-system-admin": admin}
    for name, project in (("devstack", "demo"), ("devstack-alt", "alt_demo")):
        password = secrets.token_urlsafe(12)
        clients.openstack("project", "create", "--or-show", project)
        clients.openstack("user", "create", "--project", project, "--password", password, project)
        clients.openstack("role", "add", "--project", project, "--user", project, "member")
        auth = admin["auth"] | {"username": project, "password": password, "project_name": project}
        found[name] = admin | {"auth": auth}
    return {"clouds": found, "functional": {"image_name": "tempest", "flavor_name": clients.flavor}}
