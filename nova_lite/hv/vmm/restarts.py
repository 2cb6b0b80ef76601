"""How often a guest may restart itself: neither may it keep the VMM busy, nor restart where it gets nowhere."""

from __future__ import annotations

import time

#: Guest resets served at once, and seconds between those beyond: a guest that resets for ever must not keep the
#: loop, the log and the listeners busy.
_RESETS_AT_ONCE = 5
_RESET_INTERVAL = 1.0
#: An operating system's triple fault is a restart (Linux' last resort, and ``reboot=t``), as in other VMMs; but not
#: more often than this within so many seconds: then it never gets anywhere.
TRIPLE_FAULTS, TRIPLE_FAULTS_WITHIN = 3, 60.0


class Restarts:
    """What a machine's guest has restarted so far."""

    def __init__(self) -> None:
        self._triple_faults: list[float] = []
        self._credit = float(_RESETS_AT_ONCE)
        self._last = time.monotonic()

    def delay(self) -> float:
        """Seconds that the reset which the guest asks for now has to wait; 0 mostly."""
        now = time.monotonic()
        self._credit = min(_RESETS_AT_ONCE, self._credit + (now - self._last) / _RESET_INTERVAL)
        self._last = now
        self._credit -= 1
        return max(0.0, -self._credit * _RESET_INTERVAL)

    def may_follow_triple_fault(self) -> bool:
        """Whether an operating system that has faulted so now gets another try."""
        now = time.monotonic()
        recent = [moment for moment in self._triple_faults if now - moment < TRIPLE_FAULTS_WITHIN]
        self._triple_faults = [*recent, now]
        return len(recent) < TRIPLE_FAULTS
