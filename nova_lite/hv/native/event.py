"""What the native layer reports of a machine that runs."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from nova_lite.hv.native._kvm import ffi, lib

_KINDS = {
    lib.NL_EVENT_SHUTDOWN: "shutdown",
    lib.NL_EVENT_RESET: "reset",
    lib.NL_EVENT_TRIPLE_FAULT: "triple_fault",
    lib.NL_EVENT_INTERNAL_ERROR: "internal_error",
    lib.NL_EVENT_FAIL_ENTRY: "fail_entry",
    lib.NL_EVENT_UNEXPECTED_EXIT: "unexpected_exit",
    lib.NL_EVENT_HOST_ERROR: "host_error",
    lib.NL_EVENT_GUEST_PANIC: "guest_panic",
    lib.NL_EVENT_WATCHDOG: "watchdog",
    lib.NL_EVENT_CONSOLE_PANIC: "console_panic",
    lib.NL_EVENT_EJECT: "eject",
}
_SENTENCES = {
    "shutdown": "the guest powered itself off",
    "reset": "the guest asked for a reset",
    "triple_fault": "triple fault",
    "internal_error": "KVM could not go on (internal error, suberror {code})",
    "fail_entry": "the processor refused to enter the guest (reason {code:#x})",
    "unexpected_exit": "KVM left the guest for a reason unknown here ({code})",
    "host_error": "the host failed to run the guest ({errno})",
    "guest_panic": "the guest kernel panicked",
    "watchdog": "the watchdog was not pinged in time",
    "console_panic": "the guest kernel panicked, its console says",
    "eject": "the guest has let go of a device",
}


@dataclass(frozen=True)
class Event:
    """What happened to the guest. One ends a boot; panics may come before it, and the guest runs on.

    ``kind``: shutdown, reset, triple_fault, internal_error, fail_entry, unexpected_exit, host_error, guest_panic,
    watchdog,
    console_panic (the console tells of one in Linux' words; ``detail`` says why; not again before ``watch_console``),
    eject (``Machine.ejected`` says what; the guest runs on).
    ``rip`` and ``detail`` (the instruction bytes found there, at most 15) describe a crash; 0 and none where it is not
    known, as after a triple fault on AMD. ``code`` is KVM's suberror, the hardware's reason, the exit reason or an
    errno, by kind.
    """

    kind: str
    vcpu: int
    rip: int = 0
    detail: bytes = b""
    code: int = 0

    @classmethod
    def of(cls, native: Any) -> Event:
        """The Python form of a ``struct nl_event``."""
        detail = bytes(ffi.buffer(native.bytes, native.size))
        return cls(_KINDS[native.kind], native.vcpu, native.rip, detail, native.code)

    @property
    def crashed(self) -> bool:
        """Whether the guest came to grief (all kinds but shutdown, reset, eject and watchdog, which resets)."""
        return self.kind not in ("shutdown", "reset", "watchdog", "eject")

    def __str__(self) -> str:
        sentence = _SENTENCES[self.kind].format(code=self.code, errno=os.strerror(self.code & 0x7FFFFFFF))
        if self.kind == "console_panic":
            return f"{sentence}: {self.detail.decode('ascii', 'replace')}"
        if self.kind == "triple_fault" and not self.rip:
            return f"{sentence} (vCPU {self.vcpu}; the host's processor does not tell where)"
        if not self.crashed or not self.rip:
            return f"{sentence} (vCPU {self.vcpu})"
        found = self.detail.hex(" ") or "unreadable"
        return f"{sentence} (vCPU {self.vcpu}, rip {self.rip:#x}, instruction bytes {found})"
