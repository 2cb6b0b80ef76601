"""The far end of COM1: a terminal, a pseudo-terminal, a file or a UNIX socket.

The machine writes its output to ``fd_out`` and never waits; a terminal stands behind a ``relay``. What it cannot take
in time is dropped; the console log has it all the same. A socket's clients read the console log's ring instead
(``serial_socket``).
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

from nova_lite.hv import console_log
from nova_lite.hv.vmm.config import VmConfig
from nova_lite.hv.vmm.control import ControlLoop
from nova_lite.hv.vmm.errors import VmmError
from nova_lite.hv.vmm.relay import OutputFile, PtyEnd, Relay, TerminalEnd
from nova_lite.hv.vmm.serial_socket import RelayThread, SerialSocket


def finish_relays(timeout: float) -> None:
    """Let the relays of closed serial ports pass on the last output; once the control loop is over."""
    for thread in threading.enumerate():
        if isinstance(thread, RelayThread):
            thread.join(timeout)


class SerialRelay:
    """COM1's far end as ``config`` wants it.

    For the machine: ``fd_out`` and ``output_eventfd``, -1 when nobody listens there, and ``console_log``, the ring.
    ``pty``: the pseudo-terminal's name in mode Pty.

    ``feed(bytes) -> taken`` and ``request_exit()`` are called in the control loop. Close it after the machine.

    :raises VmmError: the file or the socket cannot be had.
    """

    def __init__(
        self,
        config: VmConfig,
        loop: ControlLoop,
        feed: Callable[[bytes], int],
        request_exit: Callable[[], None],
    ) -> None:
        self._loop, self._feed = loop, feed
        self.fd_out = self.output_eventfd = -1
        self.console_log: Path | int | None = config.console_log
        self.pty = ""
        self._socket: SerialSocket | None = None
        self._far_end: Relay | OutputFile | None = None
        mode, path = config.serial_mode, config.serial_path
        if path is not None:
            try:
                self._open_path(config, mode, path)
            except OSError as error:
                reason = error.strerror or str(error)
                raise VmmError(400, "The serial port cannot be set up", f"serial.{mode.lower()}: {reason}") from error
        elif mode in ("Tty", "Pty"):
            end = PtyEnd() if mode == "Pty" else TerminalEnd()
            self._far_end = Relay("serial", end, loop, feed, request_exit)
            self.pty = end.pty
        if self._far_end is not None:
            self.fd_out = self._far_end.fd_out

    def _open_path(self, config: VmConfig, mode: str, path: Path) -> None:
        if mode == "File":
            self._far_end = OutputFile(path)
            return
        if config.console_log is None:
            ring = console_log.create_anonymous()
        else:
            ring = console_log.open_for_writing(config.console_log, config.console_log_size)
        try:
            self._socket = SerialSocket(path, ring, self._loop, self._feed)
        except OSError:
            os.close(ring)
            raise
        self.console_log, self.output_eventfd = ring, self._socket.output_eventfd

    def close(self) -> None:
        """The relay ends once it has passed on what the machine had written."""
        if self._socket is not None:
            self._socket.close()
        if self._far_end is not None:
            self._far_end.close()
