"""A real Keystone and a real Glance on SQLite, each a process on a free port of the loopback interface."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.own_venv import own_venv
from tests.serving import PATIENCE

HERE = Path(__file__).parent
PASSWORD = "companions"
_START = 300.0  # seconds that a first import of either, or a command of the client, takes at most on a busy machine


def programs() -> Path:
    """The bin folder with keystone-manage, glance-manage and openstack in it."""
    words = "Installing Keystone and Glance (three minutes)"
    return own_venv("companions", HERE / "requirements.txt", words)


def listening() -> socket.socket:
    return socket.create_server(("127.0.0.1", 0), backlog=64)


def url_of(listener: socket.socket) -> str:
    return f"http://127.0.0.1:{listener.getsockname()[1]}"


class WSGIProcess:
    """An application of the companions' environment; it can be stopped, and started again on the same port."""

    def __init__(
        self, listener: socket.socket, module: str, log: Path, environment: Mapping[str, str], bin_: Path
    ) -> None:
        self.listener, self.url = listener, url_of(listener)
        self._module, self._log, self._bin = module, log, bin_
        self._environment = {**os.environ, **environment}
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [str(self._bin / "python"), str(HERE / "serve_wsgi.py")]
        with open(self._log, "ab") as log:
            self._process = subprocess.Popen(
                [*command, str(self.listener.fileno()), self._module, "application"],
                env=self._environment,
                pass_fds=[self.listener.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self.listener.close()  # who connects waits until the process is ready, and is refused when it is dead

    def stop(self) -> None:
        """It ends; its port refuses connections from now on."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(PATIENCE)
            self._process = None

    def again(self) -> None:
        """Listen on the same port as before."""
        host, port = self.url.removeprefix("http://").split(":")
        self.listener = socket.create_server((host, int(port)), backlog=64)
        self.start()


class Keystone:
    """Its database and keys in ``folder``; ``url`` ends in /v3. User admin of project admin has PASSWORD."""

    def __init__(self, folder: Path, bin_: Path) -> None:
        self.folder, self._bin = folder, bin_
        folder.mkdir()
        keys = {name: folder / name for name in ("fernet", "receipts", "credential")}
        self.conf = folder / "keystone.conf"
        self.conf.write_text(
            f"""[database]
connection = sqlite:///{folder}/keystone.db
[fernet_tokens]
key_repository = {keys["fernet"]}
[fernet_receipts]
key_repository = {keys["receipts"]}
[credential]
key_repository = {keys["credential"]}
[cache]
enabled = false
[identity]
password_hash_rounds = 4
"""
        )
        listener = listening()
        self.url = f"{url_of(listener)}/v3"
        own = ["--keystone-user", str(os.getuid()), "--keystone-group", str(os.getgid())]
        self._manage("db_sync")
        self._manage("fernet_setup", *own)
        self._manage("credential_setup", *own)
        self._manage(
            *("bootstrap", "--bootstrap-password", PASSWORD, "--bootstrap-region-id", "RegionOne"),
            *("--bootstrap-public-url", self.url, "--bootstrap-internal-url", self.url),
        )
        self.process = self._process(listener, {})

    def hasty(self, seconds: int) -> WSGIProcess:
        """Another Keystone on the same database, whose tokens expire that soon."""
        return self._process(listening(), {"OS_TOKEN__EXPIRATION": str(seconds)})

    def _process(self, listener: socket.socket, environment: dict[str, str]) -> WSGIProcess:
        environment = {"OS_KEYSTONE_CONFIG_FILES": str(self.conf)} | environment
        return WSGIProcess(listener, "keystone.wsgi.api", self.folder / "log", environment, self._bin)

    def _manage(self, *arguments: str) -> None:
        run(str(self._bin / "keystone-manage"), "--config-file", str(self.conf), *arguments)


class Glance:
    """Its database and data below ``folder``; ``store`` holds a file for each image."""

    def __init__(self, folder: Path, bin_: Path, keystone_url: str) -> None:
        folder.mkdir()
        self.store = folder / "store"
        for name in ("store", "staging", "tasks"):
            (folder / name).mkdir()
        listener = listening()
        paste = bin_.parent / "etc" / "glance" / "glance-api-paste.ini"
        conf = folder / "glance-api.conf"
        conf.write_text(
            f"""[DEFAULT]
enabled_backends = local:file
worker_self_reference_url = {url_of(listener)}
[glance_store]
default_backend = local
[local]
filesystem_store_datadir = {self.store}
[os_glance_staging_store]
filesystem_store_datadir = {folder}/staging
[os_glance_tasks_store]
filesystem_store_datadir = {folder}/tasks
[database]
connection = sqlite:///{folder}/glance.db
[paste_deploy]
flavor = keystone
config_file = {paste}
[keystone_authtoken]
auth_url = {keystone_url}
www_authenticate_uri = {keystone_url}
auth_type = password
username = glance
password = {PASSWORD}
project_name = service
user_domain_id = default
project_domain_id = default
"""
        )
        run(str(bin_ / "glance-manage"), "--config-file", str(conf), "db_sync")
        environment = {"OS_GLANCE_CONFIG_DIR": str(folder)}
        self.process = WSGIProcess(listener, "glance.wsgi.api", folder / "log", environment, bin_)


def run(*command: str, environment: Mapping[str, str] | None = None) -> str:
    """Standard output of a command that must succeed."""
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=_START,
        check=False,
        env={**os.environ, **(environment or {})},
    )
    if done.returncode:
        raise AssertionError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


@contextlib.contextmanager
def running(process: WSGIProcess) -> Iterator[WSGIProcess]:
    process.start()
    try:
        yield process
    finally:
        process.stop()
