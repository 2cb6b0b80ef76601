"""Running the host's own tools (ip, dnsmasq) in the network namespace of this process."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable

_TIMEOUT = 20.0
_PATH = "/usr/sbin:/sbin:/usr/bin:/bin"


class NetworkError(Exception):
    """The host's network could not be set up. ``str(error)`` is a sentence that an operator may read."""


def run(arguments: list[str]) -> str:
    """What a tool printed. :raises NetworkError: it is not there, failed, or took too long."""
    return begin(arguments)()


def begin(arguments: list[str]) -> Callable[[], str]:
    """Start a tool; what is returned waits for its end and gives what it printed. Both raise NetworkError."""
    environment = {**os.environ, "PATH": f"{os.environ.get('PATH', '')}:{_PATH}", "LC_ALL": "C"}
    try:
        process = subprocess.Popen(
            arguments,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )
    except FileNotFoundError as error:
        raise NetworkError(f"{arguments[0]} is not installed.") from error
    except OSError as error:
        raise NetworkError(f"{arguments[0]} cannot be run: {error}.") from error

    def finish() -> str:
        try:
            printed, complaints = process.communicate(timeout=_TIMEOUT)
        except subprocess.TimeoutExpired as error:
            process.kill()
            process.communicate()
            raise NetworkError(f"{arguments[0]} cannot be run: {error}.") from error
        if process.returncode:
            lines = [line for line in complaints.splitlines() if line.strip()]
            raise NetworkError(f"{' '.join(arguments[:3])}: {lines[0].strip() if lines else 'failed without a word'}")
        return printed

    return finish
