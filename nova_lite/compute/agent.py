"""nova-lite-agent: claims this host's operations, drives them, watches the VMs and answers the node API.

VMs are not its children's lives: it may be stopped or killed at any moment, and the next one takes over.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from oslo_config import cfg

from nova_lite import conf as conf_module
from nova_lite import exceptions, log
from nova_lite.compute import diagnostics, flavors, node_api, resize
from nova_lite.compute.attachments import Attachments
from nova_lite.compute.boot_files import Booting
from nova_lite.compute.config_drives import ConfigDrives
from nova_lite.compute.housekeeping import Housekeeping
from nova_lite.compute.images import ImageStore
from nova_lite.compute.journal import Journal
from nova_lite.compute.node_api import NodeError
from nova_lite.compute.node_server import NodeServer
from nova_lite.compute.reconcile import Reconciler
from nova_lite.compute.server_disks import ServerDisks
from nova_lite.compute.server_host import Host
from nova_lite.compute.space_checks import SpaceChecks
from nova_lite.compute.volume_work import VolumeWork
from nova_lite.compute.wiring import Wiring
from nova_lite.compute.work import Work
from nova_lite.db import hosts as db_hosts
from nova_lite.db.changes import Doorbell
from nova_lite.db.engine import Database
from nova_lite.hv.driver import Driver, DriverError, MachineEvent, MachineNotFound
from nova_lite.network.commands import NetworkError
from nova_lite.notify import notify
from nova_lite.volumes.store import VolumeStore

LOG = logging.getLogger("nova_lite.compute.agent")  # also when it runs as __main__

_HEARTBEAT_SECONDS = 10.0
_FINISH_SECONDS = 5.0  # what running work gets when the agent is told to stop


class AlreadyRunning(exceptions.NovaLiteError):
    """Another agent works on the same state folder."""


class Agent:
    """The agent of one host. ``start`` returns when it works; ``stop`` leaves the VMs running."""

    def __init__(self, conf: cfg.ConfigOpts, driver: Driver) -> None:
        self._conf, self._driver = conf, driver
        self._paths = conf_module.paths(conf)
        self._paths.make()
        self.host: str = conf.host
        url = conf.database.connection or f"sqlite:///{self._paths.database}"
        self.database = Database(url, durable=False, on_changes=Doorbell(self._paths.doorbell))
        self.images = ImageStore(self.database, self._paths, self.host)
        if conf.image.service == "glance":
            from nova_lite.glance.transfer import Transfer  # with it comes openstacksdk

            self.images.elsewhere = Transfer(conf, self.database, self.images)
        self._wiring = Wiring(conf, self.database)
        firmware = Path(conf.kvm.firmware) if conf.kvm.firmware else None
        volumes = VolumeStore(self.database, self._paths, self.images, self.host)
        disks = ServerDisks(self._paths, self.images, volumes)
        self._attachments = Attachments(self.database, driver, volumes, disks)
        host = Host(
            self.database,
            driver,
            self.images,
            disks,
            ConfigDrives(conf, self.database),
            Booting(self._paths, self.images, firmware),
            self._attachments,
            self._wiring,
            self.host,
            conf.compute.shutdown_timeout,
        )
        self._shutdowns, self._snapshots = host.shutdowns, host.snapshots
        self._reconciler = Reconciler(host, conf.compute.resume_guests_state_on_host_boot)
        self._journal = Journal(self.database, self.host, Work(host), conf.compute.parallel_operations)
        self._volume_work = VolumeWork(self.database, volumes, driver, self.host, self._journal.submit)
        folders = (self._paths.instances, self._paths.volumes)
        self._space_checks = SpaceChecks(host, folders, conf.compute.space_check_interval, self._journal.submit)
        self._node_api = NodeServer(
            self._paths.agent_socket,
            {
                "Agent.ping": self._ping,
                "Agent.wake": self._wake,
                "Server.consoleOutput": self._console_output,
                "Server.diagnostics": self._diagnostics,
                "Host.getCapabilities": self._capabilities,
                "Host.refreshNetworks": self._refresh_networks,
            },
        )
        self._stopped = threading.Event()
        self._network_checks = threading.Thread(target=self._check_networks, name="networks", daemon=True)
        self._housekeeping = Housekeeping(conf, self.database, self._journal.wake)
        self._lock = contextlib.ExitStack()

    def start(self) -> None:
        """Take the host: one agent at a time. AlreadyRunning when there is another."""
        self._lock.enter_context(_only_agent(self._paths))
        self.database.upgrade()
        self._driver.start(self._on_event)
        self._register()
        self._wiring.start()
        self._node_api.start()
        for uuid in sorted(self._reconciler.servers_to_settle()):
            self._journal.submit(uuid, functools.partial(self._reconciler.settle, uuid))
        self._journal.start()
        self._volume_work.start()
        self._space_checks.start()
        threading.Thread(target=self._heartbeat, name="heartbeat", daemon=True).start()
        self._network_checks.start()
        for pause, look in self._housekeeping.pauses():
            threading.Thread(target=self._now_and_then, args=(pause, look), name="housekeeping", daemon=True).start()
        LOG.info("The agent of %s works", self.host)

    def stop(self) -> None:
        """Claim nothing more, finish or hand back what runs, let go of the VMs."""
        self._stopped.set()
        self._node_api.close()
        self._space_checks.stop()
        self._volume_work.stop()
        self._journal.stop(_FINISH_SECONDS)
        self._network_checks.join()
        self._wiring.close()
        self._driver.close()
        self.database.close()
        self._lock.close()
        LOG.info("The agent of %s has stopped; VMs go on", self.host)

    def _register(self) -> None:
        """Write what this host offers; fill an empty database with what ships."""
        offered = self._driver.capabilities()
        with self.database.write() as connection:
            flavors.seed(connection)
            is_new = self.host not in {node.host for node in db_hosts.list_nodes(connection)}
        if is_new:
            self.images.seed()
        try:
            self._attachments.purge()
            self._snapshots.purge(self.host)
            self.images.purge()
        except OSError as error:
            LOG.error("The files of a deleted volume or image cannot be deleted: %s", error)
        with self.database.write() as connection:
            db_hosts.record_node(
                connection,
                self.host,
                {
                    "host_ip": "127.0.0.1",
                    "hypervisor_type": offered.hypervisor_type,
                    "hypervisor_version": offered.hypervisor_version,
                    "kvm_kind": offered.kvm_kind,
                    "vcpus": offered.vcpus,
                    "memory_mb": offered.memory_mb,
                    "local_gb": offered.local_gb,
                    "cpu_info": offered.cpu_info,
                    "uptime": _uptime(),
                },
            )
            db_hosts.heartbeat(connection, self.host, db_hosts.COMPUTE, _uptime(), self._free_disk_gb())

    def _free_disk_gb(self) -> int:
        disk = os.statvfs(self._paths.state)
        return disk.f_bavail * disk.f_frsize >> 30

    def _heartbeat(self) -> None:
        pause = min(_HEARTBEAT_SECONDS, self._conf.compute.service_down_time / 3)
        while not self._stopped.wait(pause):
            try:
                with self.database.write() as connection:
                    db_hosts.heartbeat(connection, self.host, db_hosts.COMPUTE, _uptime(), self._free_disk_gb())
                window = self._conf.compute.resize_confirm_window
                if window and resize.confirm_old(self.database, self.host, window):
                    self._journal.wake()
            except Exception as error:  # whatever it is, the next beat may work: a host must not fall silent for it
                LOG.warning("No heartbeat this time: %s", error)

    def _now_and_then(self, pause: float, look: Callable[[], None]) -> None:
        while not self._stopped.wait(pause):
            try:
                look()
            except Exception:
                LOG.exception("Housekeeping failed; it is tried again")

    def _check_networks(self) -> None:
        while not self._stopped.wait(self._conf.network.check_interval):
            self._wiring.check()

    def _on_event(self, event: MachineEvent) -> None:
        """Called by the driver's thread: a VM did something unasked."""
        if event.kind == "reset":  # it runs as before; a guest may do this all day, the log must not grow with it
            LOG.debug("The guest of server %s reset itself", event.uuid)
            return
        LOG.info("VM %s: %s %s", event.uuid, event.kind, event.detail)
        if event.kind == "device_removed":
            self._journal.submit(event.uuid, functools.partial(self._reconciler.settle_volumes, event.uuid))
            return
        self._shutdowns.heard(event)
        self._journal.submit(event.uuid, functools.partial(self._reconciler.settle, event.uuid, event))

    # -- node API ----------------------------------------------------------------------------------------------

    def _ping(self) -> dict[str, Any]:
        return {"host": self.host, "version": node_api.VERSION, "pid": os.getpid()}

    def _wake(self) -> dict[str, Any]:
        self._journal.wake()
        self._volume_work.wake()
        self._shutdowns.look_again()
        return {}

    def _console_output(self, uuid: str, length: int | None) -> dict[str, Any]:
        with _named_errors():
            kept = self._driver.console_output(uuid, self._conf.compute.console_log_size)
        text = kept.decode("utf-8", "replace")
        return {"output": text if length is None else _last_lines(text, length)}

    def _diagnostics(self, uuid: str) -> dict[str, Any]:
        with _named_errors():
            info = self._driver.info(uuid)
            counters = self._driver.counters(uuid)
        return {"power_state": int(info.power_state), "counters": counters, **diagnostics.of_process(info)}

    def _refresh_networks(self) -> dict[str, Any]:
        try:
            self._wiring.rules_changed()
        except NetworkError as error:
            raise NodeError("HypervisorFailed", str(error)) from error
        return {}

    def _capabilities(self) -> dict[str, Any]:
        with _named_errors():
            return dict(vars(self._driver.capabilities()))


def _last_lines(text: str, count: int) -> str:
    """The last ``count`` lines as Nova counts them: what follows a newline at the very end is one, too, if empty."""
    return "\n".join(text.split("\n")[-count:]) if count else ""


@contextlib.contextmanager
def _named_errors() -> Iterator[None]:
    """The driver's exceptions under the node API's names."""
    try:
        yield
    except MachineNotFound as error:
        raise NodeError("ServerNotFound", str(error)) from error
    except DriverError as error:
        raise NodeError("HypervisorFailed", str(error)) from error


@contextlib.contextmanager
def _only_agent(paths: conf_module.Paths) -> Iterator[None]:
    """Hold the state folder's agent lock; it goes with the process, however that ends."""
    with open(paths.run / "agent.lock", "a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            holder = lock.read().strip() or "unknown"
            raise AlreadyRunning(f"Another agent (process {holder}) works on {paths.state}.") from None
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        yield


def _uptime() -> str:
    """As uptime(1) prints it, without the users."""
    with open("/proc/uptime") as file:
        minutes = int(float(file.read().split()[0]) // 60)
    days, hours, minutes = minutes // 1440, minutes // 60 % 24, minutes % 60
    load = ", ".join(f"{value:.2f}" for value in os.getloadavg())
    plural = "" if days == 1 else "s"
    return f" {time.strftime('%H:%M:%S')} up {days} day{plural}, {hours:2d}:{minutes:02d},  load average: {load}"


def make_driver(conf: cfg.ConfigOpts) -> Driver:
    """The configured hypervisor driver; only that one is imported."""
    if conf.compute.driver == "fake":
        from nova_lite.hv.fake import FakeDriver

        return FakeDriver(conf_module.paths(conf).state / "fake")  # in files: its VMs, too, survive the agent
    from nova_lite.hv.kvm import KvmDriver

    return KvmDriver(conf_module.paths(conf), conf.compute.console_log_size)


def run(agent: Agent) -> int:
    """Start the agent, say so, and work until SIGTERM or SIGINT."""
    asked_to_stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: asked_to_stop.set())
    try:
        agent.start()
    except (exceptions.NovaLiteError, DriverError) as error:
        LOG.error("The agent cannot start: %s", error)
        return 1
    notify("READY=1")
    asked_to_stop.wait()
    notify("STOPPING=1")
    agent.stop()
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of ``nova-lite-agent``; takes oslo.config's arguments (``--config-file`` …)."""
    conf = conf_module.load(sys.argv[1:] if argv is None else argv)
    log.setup(conf)
    return run(Agent(conf, make_driver(conf)))


if __name__ == "__main__":
    sys.exit(main())
