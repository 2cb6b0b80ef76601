"""openstacksdk, python-novaclient and Ansible's openstack.cloud, each by a program or playbook of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.clients.conftest import Clients

HERE = Path(__file__).parent


@pytest.mark.parametrize("program", ["with_openstacksdk.py", "with_novaclient.py"])
def test_a_program_that_uses(clients: Clients, program: str) -> None:
    said = clients.run("python", str(HERE / program), clients.cloud.images[0], clients.flavor, clients.network)
    assert said.splitlines()[-1] == "all is well"


def test_an_ansible_playbook(clients: Clients) -> None:
    playbook = HERE / "playbook.yaml"
    values = {"image": clients.cloud.images[0], "flavor": clients.flavor, "network": clients.network}
    variables = " ".join(f"{name}={value}" for name, value in values.items())
    python = f"ansible_python_interpreter={clients.bin / 'python'}"
    options = ("-i", "localhost,", "-c", "local", "-e", f"{variables} {python}")
    said = clients.run("ansible-playbook", *options, str(playbook))
    assert "failed=0" in said
