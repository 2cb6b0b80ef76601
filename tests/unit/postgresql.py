"""A private PostgreSQL server for the tests: in a folder of its own, on a UNIX socket, as an unprivileged user."""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path

import sqlalchemy as sa

from nova_lite.db import tables
from nova_lite.db.engine import Database


def binaries() -> Path | None:
    """The folder of the server's programs; None when they are not installed."""
    on_path = shutil.which("initdb")
    candidates = [Path(on_path).parent] if on_path else []
    candidates += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((folder for folder in candidates if (folder / "initdb").exists()), None)


class Cluster:
    """One server with as many databases as tests ask for."""

    def __init__(self, programs: Path) -> None:
        self._user = pwd.getpwnam("nobody") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())
        self._folder = Path(tempfile.mkdtemp(prefix="nova-lite-pg-", dir="/tmp"))
        os.chown(self._folder, self._user.pw_uid, self._user.pw_gid)
        data = self._folder / "data"
        self._run(
            [str(programs / "initdb"), "-D", str(data), "-A", "trust", "-U", "tests", "--no-sync", "-E", "UTF8"]
        )
        self._control = [str(programs / "pg_ctl"), "-D", str(data), "-w", "-t", "60"]
        options = f"-k {self._folder} -c listen_addresses='' -c fsync=off -c max_connections=100"
        self._run([*self._control, "-l", str(self._folder / "log"), "-o", options, "start"])
        self._numbers = itertools.count()
        self._emptied: Database | None = None

    def _run(self, command: list[str]) -> None:
        identity = {"user": self._user.pw_uid, "group": self._user.pw_gid} if os.geteuid() == 0 else {}
        done = subprocess.run(
            command, cwd=self._folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, **identity
        )
        if done.returncode:
            raise RuntimeError(f"{command[0]}: {done.stderr}")

    def new_database(self) -> str:
        """The URL of a new, empty database."""
        name = f"test{next(self._numbers)}"
        engine = sa.create_engine(self._url("postgres"), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.exec_driver_sql(f"CREATE DATABASE {name}")
        engine.dispose()
        return self._url(name)

    def emptied_database(self) -> str:
        """The URL of a database with every table and no row: always the same one, which is quick."""
        if self._emptied is None:
            self._emptied = Database(self.new_database())
            self._emptied.upgrade()
        with self._emptied.write() as connection:
            for table in reversed(tables.metadata.sorted_tables):
                connection.execute(sa.delete(table))
        return self._emptied.url.render_as_string(hide_password=False)

    def _url(self, name: str) -> str:
        return f"postgresql+pg8000://tests@/{name}?unix_sock={self._folder}/.s.PGSQL.5432"

    def stop(self) -> None:
        if self._emptied is not None:
            self._emptied.close()
        self._run([*self._control, "-m", "immediate", "stop"])
        shutil.rmtree(self._folder)
