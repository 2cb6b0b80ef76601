"""Cards of servers given and taken away by the agent: ports that go, ports that stay, work that was interrupted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nova_lite.compute import networks
from nova_lite.db import networks as db_networks
from tests.unit.computing import HOST, Computing


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Computing]:
    """An agent with a driver to which a network is a row and nothing else."""
    made = Computing(tmp_path / "state", None, compute={"driver": "fake"})
    networks.create_network(made.database, HOST, "blue", "10.5.0.0/24", is_default=True)
    made.start_agent()
    yield made
    made.close()


def cards(service: Computing, server: Any) -> list[Any]:
    return service.api.ports([server.uuid]).get(server.uuid, [])


def kept_port(service: Computing) -> str:
    with service.database.write() as connection:
        network = networks.find_network(connection, "blue")
        groups = networks.groups_of(service.database, connection, "p1", None)
        return networks.make_port(service.database, connection, network, None, "p1", groups, preserve=True)


def test_a_card_made_for_a_server_goes_with_it_and_one_that_was_there_stays(service: Computing) -> None:
    made = service.running()
    kept = kept_port(service)
    service.api.attach_interface(service.me, made, port_id=kept)
    added = service.api.attach_interface(service.me, made)
    service.settled(made, "active")
    assert [card.plugged for card in cards(service, made)] == [True, True, True]
    for port_id in (kept, added.id):
        service.api.detach_interface(service.me, service.get(made), port_id)
    service.settled(made, "active")
    assert len(cards(service, made)) == 1
    with service.database.read() as connection:
        left = db_networks.get_port(connection, kept)
        assert left is not None and left.device_id is None
        assert db_networks.get_port(connection, added.id) is None


def test_a_stopped_server_gets_its_new_card_when_it_starts(service: Computing) -> None:
    made = service.running()
    service.api.stop(service.me, made)
    service.settled(made, "stopped")
    service.api.attach_interface(service.me, service.get(made))
    service.settled(made, "stopped")
    assert [card.plugged for card in cards(service, made)] == [True, False]
    service.api.start(service.me, service.get(made))
    service.settled(made, "active")
    assert [card.plugged for card in cards(service, made)] == [True, True]


def test_a_guest_that_keeps_its_card_loses_what_is_behind_it(service: Computing) -> None:
    made = service.running()
    (card,) = cards(service, made)
    service.driver.stubborn.add(made.uuid)
    service.api.detach_interface(service.me, service.get(made), card.id)
    service.settled(made, "active")
    assert cards(service, made) == []
    assert [operation.state for operation in service.operations(made)] == ["done"] * 2


def test_a_card_that_no_machine_takes_now_waits_for_the_next_start(service: Computing) -> None:
    made = service.running()
    service.driver.fail("attach_nic", "There is no slot left.")
    service.api.attach_interface(service.me, made)
    service.settled(made, "active")
    assert [card.plugged for card in cards(service, made)] == [True, False]
    service.api.reboot(service.me, service.get(made), hard=True)
    service.settled(made, "active")
    assert [card.plugged for card in cards(service, made)] == [True, True]


def test_a_card_that_is_taken_away_twice_at_once_goes_once(service: Computing) -> None:
    made = service.running()
    (card,) = cards(service, made)
    service.stop_agent()
    for _ in range(2):
        service.api.detach_interface(service.me, service.get(made), card.id)
    service.start_agent()
    service.settled(made, "active")
    assert cards(service, made) == []
    assert [operation.state for operation in service.operations(made)] == ["done"] * 3
