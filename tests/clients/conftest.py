"""Fixtures: the clients in an environment of their own, and one cloud with real VMs and networks for all of them."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import netns
from tests.own_venv import own_venv
from tests.tempest.cloud import Cloud, cloud

HERE = Path(__file__).parent
#: The package that openstack.cloud 2.5 is in, and where.
COLLECTIONS, OPENSTACK_CLOUD = "ansible==12.3.0", "ansible_collections/openstack/"
PATIENCE = 300.0  # seconds that one call of a client takes at most


class Clients:
    """Runs them as a user would: with the clouds.yaml that the service wrote, and nothing else."""

    def __init__(self, bin_: Path, ansible: Path, served: Cloud, folder: Path) -> None:
        self.bin, self.ansible, self.cloud, self.folder = bin_, ansible, served, folder
        self.network, self.flavor = "private", "tempest"
        self._environment = {name: value for name, value in os.environ.items() if not name.startswith("OS_")}
        self._environment |= {
            "OS_CLIENT_CONFIG_FILE": str(served.serving.state / "clouds.yaml"),
            "OS_CLOUD": "nova-lite",
            "HOME": str(folder),
            "PATH": f"{bin_}{os.pathsep}{os.environ['PATH']}",
            "LC_ALL": "C.UTF-8",
            "ANSIBLE_COLLECTIONS_PATH": str(ansible.parent / "collections"),
        }

    def run(
        self, program: str | Path, *arguments: str, given: str = "", patience: float = PATIENCE, **environment: str
    ) -> str:
        """Its standard output; it must end well.

        :param program: in the environment with openstackclient, or with its path.
        :param given: what it reads.
        """
        done = subprocess.run(
            [str(self.bin / program), *arguments],
            env=self._environment | environment,
            cwd=self.folder,
            input=given,
            capture_output=True,
            text=True,
            timeout=patience,
            check=False,
        )
        assert done.returncode == 0, f"{program} {' '.join(arguments)}:\n{done.stdout[-6000:]}\n{done.stderr[-6000:]}"
        return done.stdout

    def openstack(self, *arguments: str) -> Any:
        """What `openstack … -f json` says; its plain output where it has no such form."""
        form = ["-f", "json"] if {"create", "list", "show", "issue"} & set(arguments) and "log" not in arguments else []
        said = self.run("openstack", *arguments, *form)
        begin = min((at for at in map(said.find, "{[") if at >= 0), default=None)
        return json.loads(said[begin:]) if form and begin is not None else said  # before it: how far a --wait is


@pytest.fixture(scope="session")
def clients(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clients]:
    bin_ = own_venv("clients", HERE / "requirements.txt", "Installing the clients (two minutes)")
    ansible = own_venv("clients-ansible", HERE / "ansible.txt", "Installing Ansible (a minute)")
    _install_collection(ansible)
    with pytest.MonkeyPatch.context() as changed, netns.entered(), _cloud(changed) as served:
        yield Clients(bin_, ansible, served, tmp_path_factory.mktemp("clients"))


def _install_collection(bin_: Path) -> None:
    """openstack.cloud alone: with all the others, `ansible` is 500 MiB."""
    collections = bin_.parent / "collections"
    if (collections / "ansible_collections").exists():
        return
    with tempfile.TemporaryDirectory() as folder:
        pip = [str(bin_ / "python"), "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
        subprocess.run([*pip, "--dest", folder, COLLECTIONS], check=True)
        (wheel,) = Path(folder).glob("*.whl")
        with zipfile.ZipFile(wheel) as packed:
            names = packed.namelist()
            packed.extractall(collections, [name for name in names if name.startswith(OPENSTACK_CLOUD)])


@contextlib.contextmanager
def _cloud(changed: pytest.MonkeyPatch) -> Iterator[Cloud]:
    changed.setenv("OS_NETWORK__ENABLED", "true")  # tests/conftest.py says no, for the sake of the host's own network
    with cloud("kvm") as served:
        yield served
