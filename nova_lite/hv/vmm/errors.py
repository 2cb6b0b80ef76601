"""How a command to the VMM fails: a status code and a chain of sentences, outermost first."""

from __future__ import annotations


class VmmError(Exception):
    """A command that could not be done. ``chain`` goes to the client as a JSON array, as in Cloud Hypervisor."""

    def __init__(self, status: int, *chain: str) -> None:
        super().__init__(": ".join(chain))
        self.status, self.chain = status, chain


class ConfigError(VmmError):
    """The configuration cannot be used; every sentence after the first names a key."""

    def __init__(self, *faults: str) -> None:
        super().__init__(400, "The VM configuration is invalid", *faults)


class NotCreated(VmmError):
    def __init__(self) -> None:
        super().__init__(404, "The VM is not created", "send PUT vm.create first")


class WrongState(VmmError):
    """The machine's state does not allow the command."""

    def __init__(self, command: str, state: str, allowed: tuple[str, ...]) -> None:
        super().__init__(
            405, f"The VM cannot do {command} now", f"it is {state}; {command} needs {' or '.join(allowed)}"
        )


class SocketInUse(Exception):
    """Another VMM serves this socket. ``pid`` is its process."""

    def __init__(self, path: str, pid: int) -> None:
        super().__init__(f"{path} is served by another VMM (process {pid})")
        self.pid = pid
