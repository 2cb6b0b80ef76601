"""Fixtures that several files of real VMs share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kvm.driver_host import Host


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    """A driver whose VMs are gone afterwards."""
    made = Host(tmp_path / "state")
    yield made
    for info in made.driver.list():
        made.driver.destroy(info.uuid)
    made.driver.close()
    assert made.vmms() == []
