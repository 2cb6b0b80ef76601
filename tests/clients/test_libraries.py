"""openstacksdk and python-novaclient, each by a program of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.clients.conftest import Clients

HERE = Path(__file__).parent


@pytest.mark.parametrize("program", ["with_openstacksdk.py", "with_novaclient.py"])
def test_a_program_that_uses(clients: Clients, program: str) -> None:
    said = clients.run("python", str(HERE / program), clients.cloud.images[0], clients.flavor, clients.network)
    assert said.splitlines()[-1] == "all is well"
