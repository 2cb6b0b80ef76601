"""kill -9 of the agent with real VMs: afterwards database, VMM processes, sockets and files agree.

For each step of create, stop, reboot and delete one agent dies before and one after it, and a new one takes over; that
one then runs the next server's life up to its own death.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from nova_lite import objects
from nova_lite.compute.node_client import NodeError
from nova_lite.disks import overlay
from nova_lite.hv.vmm import process, record
from tests.functional.test_crash_agent import ROOT, crash_points
from tests.kvm.vmm_process import COUNTING, needs_kvm
from tests.unit.computing import Computing, eventually

pytestmark = needs_kvm

PATIENCE = 60.0


class Service:
    """The compute API in this process, and agents with the kvm driver in others."""

    def __init__(self, state: Path) -> None:
        self.computing = Computing(state, None)
        self.state = state
        (state / "disk").write_bytes(bytes(1 << 20))
        self.image = self.computing.store.add("disked", COUNTING, "flat16", disk=state / "disk", disk_format="raw")
        sizes = {"root_gb": 1, "ephemeral_gb": 1, "swap": 64}
        self.computing.api.create_flavor(
            self.computing.admin, name="disked", flavorid="disked", vcpus=1, memory_mb=16, **sizes
        )
        self.agent: subprocess.Popen[bytes] | None = None

    def start(self, crash_at: str = "") -> None:
        command = [sys.executable, "-m", "tests.functional.crash_processes", "agent", str(self.state), "kvm"]
        with open(self.state / "agent.log", "ab") as output:
            environment = os.environ | {"NOVA_LITE_CRASH_AT": crash_at}
            self.agent = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=output, stderr=output)
        eventually(self.answers, "the agent answers")

    def answers(self) -> bool:
        assert self.agent is not None
        assert self.agent.poll() is None, (self.state / "agent.log").read_text()
        try:
            return self.computing.api.agent.call("Agent.ping", {})["pid"] == self.agent.pid
        except NodeError:
            return False

    def dies(self) -> None:
        """The agent must end by SIGKILL now."""
        assert self.agent is not None
        assert self.agent.wait(PATIENCE) == -signal.SIGKILL
        self.agent = None

    def stop(self) -> None:
        if self.agent is not None:
            self.agent.terminate()
            assert self.agent.wait(PATIENCE) == 0
            self.agent = None

    def create(self) -> objects.Instance:
        return self.computing.create(image_ref=self.image.id, flavor_ref="disked")

    def close(self) -> None:
        if self.agent is None:
            self.start()
        for each in self.computing.api.list(self.computing.me):
            self.computing.api.delete(self.computing.me, each)
            self.computing.becomes(each, "deleted")
        self.stop()
        left = self.processes()
        self.computing.close()
        assert left == [], "processes that outlived their servers and their agent"

    # -- what the host shows -----------------------------------------------------------------------------------

    def processes(self) -> list[list[str]]:
        """Command lines of everything that works below the state folder."""
        return [words for words in process.command_lines().values() if any(str(self.state) in word for word in words)]

    def vmms(self) -> list[Path]:
        """The sockets that VMM processes serve."""
        return sorted(Path(words[2]) for words in self.processes() if words[0] == "nova-lite-vmm")

    def recorded(self, made: objects.Instance) -> int:
        """The process id of the server's VMM by its record; 0 while there is none."""
        known = record.read(self.computing.paths.instance(made.uuid))
        return known.pid if known is not None else 0

    def kill_vmm(self, made: objects.Instance) -> int:
        """kill -9 of the server's VMM; its process id."""
        pid = self.recorded(made)
        os.kill(pid, signal.SIGKILL)
        return pid

    def count(self, made: objects.Instance) -> int:
        """The number that the counting guest has come to."""
        api, me = self.computing.api, self.computing.me
        numbers = re.findall(r"out port: 16, data: (\d+)\n", api.console_output(me, api.get(me, made.uuid), 3))
        return int(numbers[-1]) if numbers else -1

    def assert_all_agree(self, made: objects.Instance, vm_state: str) -> None:
        found = self.computing.settled(made, vm_state)
        assert [op.state for op in self.computing.operations(made) if op.state != "done"] == []
        folder, socket = self.computing.paths.instance(made.uuid), self.computing.paths.vmm_socket(made.uuid)
        if vm_state == "active":
            assert self.vmms() == [socket]
            known = record.read(folder)
            assert known is not None
            assert process.start_time(known.pid) == known.start_time
            assert found.power_state == 1
            before = self.count(made)
            eventually(lambda: self.count(made) != before, "the guest counts on")
        else:
            assert self.vmms() == []
            assert not socket.exists()
            assert folder.exists() == (vm_state == "stopped")
        if vm_state != "deleted":
            files = sorted(path.name for path in (folder / "disks").iterdir())
            assert files == ["vda.overlay", "vdb.overlay", "vdc.overlay"]
        if vm_state == "stopped":
            with overlay.open_view(folder / "disks/vda.overlay", self.computing.store.disk(self.image)) as view:
                assert view.size == 1 << 30


@pytest.fixture
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    made = Service(tmp_path_factory.mktemp("s"))
    made.start()
    yield made
    made.close()


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("action", ["create", "stop", "reboot", "delete"])
def test_real_vms_and_the_database_agree_after_each_crash(service: Service, action: str, moment: str) -> None:
    api, me = service.computing.api, service.computing.me
    for point in [point for point in crash_points(action) if point.endswith(moment)]:
        made = service.create() if action != "create" else None
        if made is not None:
            service.computing.settled(made, "active")
        service.stop()
        service.start(crash_at=point)
        if made is None:
            made = service.create()
        elif action == "reboot":
            api.reboot(me, made, hard=True)
        else:
            getattr(api, action)(me, made)
        service.dies()
        service.start()
        service.assert_all_agree(made, {"stop": "stopped", "delete": "deleted"}.get(action, "active"))
        if action != "delete":
            api.delete(me, made)
            service.assert_all_agree(service.computing.becomes(made, "deleted"), "deleted")


def test_a_vm_that_is_killed_is_started_again(service: Service) -> None:
    made = service.create()
    service.computing.settled(made, "active")
    killed = service.kill_vmm(made)
    eventually(lambda: service.recorded(made) not in (0, killed), "the VM has a new process")
    service.assert_all_agree(made, "active")


def test_a_vm_and_an_agent_that_are_killed_both_come_back(service: Service) -> None:
    made = service.create()
    service.computing.settled(made, "active")
    assert service.agent is not None
    service.agent.kill()
    service.dies()
    killed = service.kill_vmm(made)
    service.start()
    eventually(lambda: service.recorded(made) not in (0, killed), "the VM has a new process")
    service.assert_all_agree(made, "active")
