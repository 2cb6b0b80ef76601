"""A Debian made by `nova-lite image build debian`, as a server: systemd, cloud-init and sshd in earnest.

It is collected only where there is such an image: `make test-debian` makes it and runs this, which takes five minutes.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from nova_lite.compute import group_rules
from nova_lite.db import security_groups
from tests.nested.conftest import DEBIAN_STATE, ENVIRONMENT
from tests.nested.inside.test_linux_server import Cloud, networking

STATE = os.environ[DEBIAN_STATE]
BOX = {"timeout": 2400.0, "memory": 4096, "environment": ENVIRONMENT | {DEBIAN_STATE: STATE}}

pytestmark = pytest.mark.timeout(1000)
#: Seconds from power-on to the login prompt, and for an answer by ssh: a minute and a half on a quiet machine.
PATIENCE = 450
#: What a user would look at; then all of the config drive, where there is one, beside what the service tells.
ASKED = r"""
cloud-init status --wait --long
cat /run/cloud-init/cloud-id
hostname
cat /sys/class/net/eth0/address
ip -4 -o address show eth0
df -m --output=size / | tail -n 1 | sed 's/^ */root MiB: /'
systemctl is-system-running --wait
sudo mount -o ro /dev/disk/by-label/config-2 /mnt || exit 0
python3 - <<'END'
import json, pathlib, urllib.request
for path in sorted(pathlib.Path("/mnt").glob("openstack/*/*")):
    told = urllib.request.urlopen(f"http://169.254.169.254/{path.relative_to('/mnt')}").read()
    here = path.read_bytes()
    if path.suffix == ".json":
        here, told = ({**json.loads(text), "random_seed": None} for text in (here, told))
    print("same" if here == told else "other", path)
END
"""


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    """On the state folder that has the image; what is written to it here stays in the box."""
    with networking(Path(STATE)) as made:
        made.api.create_flavor(
            made.computing.admin, name="debian", flavorid="debian", vcpus=1, memory_mb=1024, root_gb=3
        )
        yield made


@pytest.fixture(scope="module")
def key(cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Private half of the keypair "mine", and ssh let in from everywhere."""
    path = tmp_path_factory.mktemp("ssh") / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)
    public_key = path.with_suffix(".pub").read_text().strip()
    cloud.api.create_keypair(cloud.me, cloud.me.user_id or "", "mine", public_key=public_key)
    return path


@pytest.mark.parametrize("source", ["openstack", "configdrive"])
def test_debian_comes_up_with_the_name_key_and_address_that_the_api_shows(cloud: Cloud, key: Path, source: str) -> None:
    (image,) = (image for image in cloud.api.list_images(cloud.me) if image.name.startswith("debian"))
    server = cloud.computing.create(
        f"Debian {source}",
        image_ref=image.id,
        flavor_ref="debian",
        key_name="mine",
        config_drive=source == "configdrive",
    )
    cloud.wait_for_state(server, "active")
    with cloud.computing.database.write() as connection:
        group = security_groups.find(connection, server.project_id, "default")
        assert group is not None
        if not any(rule.port_range_min == 22 for rule in group.rules):
            rule = group_rules.rule(group.id, "ingress", "tcp", "22", None, None)
            security_groups.insert_rule(connection, rule)
    cloud.api.agent.call("Host.refreshNetworks", {})
    began, hostname = time.monotonic(), f"debian-{source}"
    cloud.wait(server, lambda: f"{hostname} login:" in cloud.console(server), "it asks who logs in", PATIENCE)
    print(f"{source}: login prompt after {time.monotonic() - began:.0f} s")
    (port,) = cloud.api.ports([server.uuid])[server.uuid]
    options = ("-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "ConnectTimeout=120")
    done = subprocess.run(
        ["ssh", "-i", str(key), *options, f"debian@{port.fixed_ips[0]}", ASKED],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    print(f"{source}: all answers by ssh after {time.monotonic() - began:.0f} s\n{done.stdout}")
    assert done.returncode == 0, done.stderr
    told = done.stdout
    shown = (cloud.computing.get(server).hostname, port.mac_address, f"inet {port.fixed_ips[0]}/")
    for text in ("status: done", "running", *shown):
        assert text in told, told
    assert hostname == shown[0]
    (size,) = (int(line.removeprefix("root MiB: ")) for line in told.splitlines() if line.startswith("root MiB: "))
    assert size > 2800, "the root file system fills the flavor's disk"
    assert "other /mnt" not in told
    if source == "configdrive":
        assert told.count("same /mnt/openstack/latest/") >= 4, told
    cloud.api.delete(cloud.me, cloud.computing.get(server))
    cloud.wait_for_state(server, "deleted")
