"""A VMM from its socket to its end: control loop, machine, REST, event streams and signals put together."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nova_lite
from nova_lite.hv.vmm.api_socket import ApiSocket
from nova_lite.hv.vmm.config import VmConfig
from nova_lite.hv.vmm.control import ControlLoop
from nova_lite.hv.vmm.event_stream import EventStreams
from nova_lite.hv.vmm.http_api import Connections, server_name
from nova_lite.hv.vmm.serial import finish_relays
from nova_lite.hv.vmm.vm import Vm

#: Bytes of address space for a thread's stack. Only what is touched costs memory; a stack of 2 MiB or more might be
#: backed by a huge page.
_THREAD_STACK = 1 << 20
#: Seconds that answers under way get when the VMM ends.
_LAST_ANSWERS = 2.0
#: Seconds that a terminal or a client of the serial socket gets to take the guest's last output.
_LAST_OUTPUT = 1.0


class Server:
    """One VMM. Made and run by the main thread (signals come there). ``on_rest``: what ControlLoop takes."""

    def __init__(
        self, api_socket: ApiSocket, exit_on_shutdown: bool = False, on_rest: Callable[[], None] | None = None
    ) -> None:
        threading.stack_size(_THREAD_STACK)
        self._api_socket, self._exit_on_shutdown = api_socket, exit_on_shutdown
        self._loop = ControlLoop(on_rest)
        self._waker, self._wakened = socket.socketpair()
        self._waker.setblocking(False)
        # A terminal that goes takes its VMM along, unless nohup was told otherwise.
        hangup = () if signal.getsignal(signal.SIGHUP) == signal.SIG_IGN else (signal.SIGHUP,)
        for number in (signal.SIGTERM, signal.SIGINT, *hangup):
            signal.signal(number, lambda _number, _frame: None)  # the wake-up descriptor tells the loop
        signal.set_wakeup_fd(self._waker.fileno())
        self._loop.watch(self._wakened.fileno(), self._loop.stop)
        self._vm = Vm(self._loop, self._on_event, self._loop.stop)
        self._streams = EventStreams(self._loop, server_name(), self._vm.subscribed_event)
        self._connections = Connections(api_socket.listener, self._loop, self._commands())

    def boot(self, config: VmConfig) -> None:
        """Create and boot a machine before anybody asks for it. Raises VmmError."""
        self._vm.create(config)
        self._vm.boot()

    def restore(self, config: VmConfig, folder: Path) -> None:
        """Go on where a machine was saved, before anybody asks for it; it is paused. Raises VmmError."""
        self._vm.restore(folder, config)

    def run(self) -> None:
        """Serve until vmm.shutdown, SIGTERM or SIGINT. ``close`` afterwards."""
        self._loop.run()

    def close(self) -> None:
        """Stop the machine and give back the socket and its lock; not to be used any more."""
        self._vm.delete()
        finish_relays(_LAST_OUTPUT)
        self._connections.finish(_LAST_ANSWERS)
        self._streams.close()
        self._api_socket.close()
        signal.set_wakeup_fd(-1)
        self._loop.close()
        self._waker.close()
        self._wakened.close()

    def _commands(self) -> dict[str, Callable[..., Any]]:
        vm = self._vm
        return {
            "vmm.ping": self._ping,
            "vmm.shutdown": self._loop.stop,
            "vm.create": vm.create,
            "vm.delete": vm.delete,
            "vm.boot": vm.boot,
            "vm.shutdown": vm.shutdown,
            "vm.reboot": vm.reboot,
            "vm.pause": vm.pause,
            "vm.resume": vm.resume,
            "vm.power-button": vm.press_power_button,
            "vm.nmi": vm.nmi,
            "vm.coredump": vm.coredump,
            "vm.snapshot": lambda given: vm.snapshot(given["folder"]),
            "vm.restore": lambda given: vm.restore(given["folder"]),
            "vm.add-disk": lambda given: vm.add_device("DiskConfig", given),
            "vm.add-net": lambda given: vm.add_device("NetConfig", given),
            "vm.add-vsock": lambda given: vm.add_device("VsockConfig", given),
            "vm.remove-device": lambda given: vm.remove_device(given["id"]),
            "vm.disk-log": vm.disk_log,
            "vm.resize": vm.resize,
            "vm.info": vm.info,
            "vm.counters": vm.counters,
            "vm.events": self._streams.add,
        }

    @staticmethod
    def _ping() -> dict[str, Any]:
        return {
            "version": nova_lite.__version__,
            "build_version": f"v{nova_lite.__version__}",
            "pid": os.getpid(),
            "features": ["kvm"],
        }

    def _on_event(self, event: dict[str, Any]) -> None:
        self._streams.publish(event)
        if self._exit_on_shutdown and event["initiator"] == "guest" and event["event"] in ("shutdown", "crashed"):
            self._loop.stop()
