"""Ansible's openstack.cloud: a site that is played twice, what is done to it, and its end."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from tests.clients.conftest import Clients

HERE = Path(__file__).parent


def test_a_site_is_made_once_and_a_second_time_changes_nothing(clients: Clients) -> None:
    made = play(clients, "site.yaml")
    assert made["failed"] == 0 and made["changed"] == made["ok"] > 0
    again = play(clients, "site.yaml")
    assert (again["failed"], again["changed"], again["ok"]) == (0, 0, made["ok"])
    assert play(clients, "gone.yaml")["failed"] == 0
    assert clients.openstack("server", "list") == []


def play(clients: Clients, playbook: str) -> dict[str, int]:
    """How many tasks were ok, changed something, failed, …, by the playbook's own count."""
    disk, key = clients.folder / "disk.raw", clients.folder / "key"
    if not key.exists():
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    disk.write_bytes(bytes(1 << 20))
    values = {
        "image": clients.cloud.images[0],
        "flavor": clients.flavor,
        "disk": str(disk),
        "public_key": f"{key}.pub",
        "ansible_python_interpreter": str(clients.ansible / "python"),
    }
    extra = " ".join(f"{name}={value}" for name, value in values.items())
    said = clients.run(clients.ansible / "ansible-playbook", "-i", "localhost,", "-e", extra, str(HERE / playbook))
    recap = said[said.rindex("PLAY RECAP") :]
    return {name: int(number) for name, number in re.findall(r"(\w+)=(\d+)", recap)}
