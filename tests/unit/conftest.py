"""Fixtures of the unit tests: databases of both kinds, and the compute API on them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from nova_lite.db.engine import Database
from tests.unit import postgresql
from tests.unit.computing import Computing


@pytest.fixture(scope="session")
def postgresql_cluster() -> Iterator[postgresql.Cluster]:
    programs = postgresql.binaries()
    if programs is None:
        pytest.skip("no PostgreSQL server is installed (Debian: postgresql)")
    cluster = postgresql.Cluster(programs)
    yield cluster
    cluster.stop()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database, of each kind in turn."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/test.db"
    cluster: postgresql.Cluster = request.getfixturevalue("postgresql_cluster")
    return cluster.new_database()


@pytest.fixture(params=["sqlite", "postgresql"])
def tables_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a database that may have its tables already, but no row in them; of each kind in turn."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/test.db"
    cluster: postgresql.Cluster = request.getfixturevalue("postgresql_cluster")
    return cluster.emptied_database()


@pytest.fixture
def database(tables_url: str) -> Iterator[Database]:
    """A database with every table, of each kind in turn."""
    made = Database(tables_url)
    made.upgrade()
    yield made
    made.close()


@pytest.fixture
def computing(tmp_path: Path, tables_url: str) -> Iterator[Computing]:
    """The compute API on a database of each kind in turn, without an agent."""
    made = Computing(tmp_path / "state", tables_url)
    yield made
    made.close()


@pytest.fixture
def hosting(tmp_path: Path) -> Iterator[Computing]:
    """The compute API on SQLite; ``start_agent`` gives it an agent, whose VMs are files."""
    made = Computing(tmp_path / "state", None)
    yield made
    made.close()
