"""Letting a guest power itself off before its VM is ended, as Nova does: the power button, then a bounded wait.

Nobody polls: the driver's event ends the wait, and so does a delete that comes meanwhile.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator

from nova_lite.hv.driver import Driver, MachineEvent, MachineSpec, PowerState

TIMEOUT_PROPERTY = "os_shutdown_timeout"  # of images; Nova's name
MAX_TIMEOUT = 86400  # seconds; the option has the same


def parse_timeout(text: str) -> int | None:
    """The value of an image's os_shutdown_timeout; None when it is none."""
    if not (text.isascii() and text.isdigit() and len(text) <= 9 and int(text) <= MAX_TIMEOUT):
        return None
    return int(text)


def timeout(spec: MachineSpec, image_properties: dict[str, str], configured: int) -> int:
    """Seconds that a guest gets; 0 where nobody would hear the power button.

    Linux hears it. So does a Linux kernel as plain ELF file; with an initramfs it is one, without it may be any guest.
    """
    own = parse_timeout(image_properties.get(TIMEOUT_PROPERTY, ""))
    if own is not None:
        return own
    hears = spec.kernel_format in ("bzimage", "pvh") or (spec.kernel_format == "elf64" and spec.initramfs is not None)
    return configured if hears else 0


class Shutdowns:
    """The guests that were asked to power themselves off; at most one operation waits for each."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._changed: dict[str, threading.Event] = {}
        self._ended: set[str] = set()

    def heard(self, event: MachineEvent) -> None:
        """A VM did something unasked. A reset is no end: it runs on and may hear the button yet."""
        with self._lock:
            if event.kind != "reset" and event.uuid in self._changed:
                self._ended.add(event.uuid)
                self._changed[event.uuid].set()

    def look_again(self) -> None:
        """There may be another reason now to wait no longer (``unless`` of ``ask``)."""
        with self._lock:
            for changed in self._changed.values():
                changed.set()

    def ask(self, driver: Driver, uuid: str, seconds: float, unless: Callable[[], bool]) -> bool:
        """Press the power button and wait until the guest has ended; whether it has. Raises DriverError.

        ``unless`` is asked after whatever may have changed; True ends the wait early.
        """
        with self._registered(uuid) as changed:  # before the button: the end must not come unheard
            if driver.info(uuid).power_state is not PowerState.RUNNING:
                return False
            driver.press_power_button(uuid)
            deadline = time.monotonic() + seconds
            while (left := deadline - time.monotonic()) > 0 and not unless():
                changed.wait(left)
                changed.clear()
                with self._lock:
                    if uuid in self._ended:
                        return True
        return False

    @contextlib.contextmanager
    def _registered(self, uuid: str) -> Iterator[threading.Event]:
        changed = threading.Event()
        with self._lock:
            self._changed[uuid] = changed
        try:
            yield changed
        finally:
            with self._lock:
                del self._changed[uuid]
                self._ended.discard(uuid)
