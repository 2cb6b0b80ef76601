"""The far ends of a machine's consoles: where serial port, virtio console and debug console lead."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from nova_lite.hv.vmm.config import VmConfig
from nova_lite.hv.vmm.control import ControlLoop
from nova_lite.hv.vmm.errors import VmmError
from nova_lite.hv.vmm.relay import OutputFile, PtyEnd, Relay, SocketEnd, TerminalEnd
from nova_lite.hv.vmm.serial import SerialRelay


class Consoles:
    """Open as ``config`` wants them, before the machine is built; close them after it.

    ``serial`` is COM1's. ``console_out`` takes the output of the virtio console, ``debug_out`` that of the debug
    console; -1: nobody listens.

    :raises VmmError: a file, a socket or a terminal cannot be had; the key is named.
    """

    def __init__(
        self,
        config: VmConfig,
        loop: ControlLoop,
        serial_input: Callable[[bytes], int],
        console_input: Callable[[bytes], int],
        resize_console: Callable[[int, int], None],
        request_exit: Callable[[], None],
    ) -> None:
        self.serial = SerialRelay(config, loop, serial_input, request_exit)
        self._console: Relay | OutputFile | None = None
        self._debug: Relay | OutputFile | None = None
        try:
            end = _far_end("console", config.console_mode, config.console_path)
            if isinstance(end, OutputFile):
                self._console = end
            elif end is not None:
                self._console = Relay("console", end, loop, console_input, request_exit, resize_console)
            end = _far_end("debug_console", config.debug_console_mode, config.debug_console_path)
            if isinstance(end, OutputFile):
                self._debug = end
            elif end is not None:  # nobody reads what is typed there
                self._debug = Relay("debug console", end, loop, len, request_exit)
        except VmmError:
            self.close()
            raise
        self.console_out = -1 if self._console is None else self._console.fd_out
        self.debug_out = -1 if self._debug is None else self._debug.fd_out

    def debug_console(self, config: VmConfig) -> tuple[int, int] | None:
        """What ``Machine`` takes: the port, and where its text goes."""
        return None if config.debug_console_port is None else (config.debug_console_port, self.debug_out)

    def shown(self, document: dict[str, Any]) -> dict[str, Any]:
        """A VmConfig in its normal form, with the names that pseudo-terminals have got."""
        ends = {"serial": self.serial, "console": self._console, "debug_console": self._debug}
        return document | {key: document[key] | {"file": end.pty} for key, end in ends.items() if end and end.pty}

    def close(self) -> None:
        """What the machine has written still goes out."""
        for end in (self.serial, self._console, self._debug):
            if end is not None:
                end.close()


def _far_end(key: str, mode: str, path: Path | None) -> OutputFile | SocketEnd | PtyEnd | TerminalEnd | None:
    try:
        if mode in ("Off", "Null"):
            return None
        if path is not None:
            return OutputFile(path) if mode == "File" else SocketEnd(path)
        return PtyEnd() if mode == "Pty" else TerminalEnd(reads=key != "debug_console")
    except OSError as error:
        reason = f"{key}.{mode.lower()}: {error.strerror or error}"
        raise VmmError(400, f"The {key.replace('_', ' ')} cannot be set up", reason) from error
