"""The zygote: one warm process that forks every VMM, so that none pays for Python's start.

The driver starts it anew (``python -m nova_lite.hv.vmm.zygote_start``) and talks to it over a socket pair, the zygote's
standard input: one packet per VMM, a JSON document {"socket", "name", "config"} with the write end of a pipe, and then
the descriptors that the configuration's net[].fds name by their place, from 0 on: a VMM has no right to open a tap. The
pipe then carries lines of JSON from the VMM itself: {"pid", "start_time"}, and once the guest runs {"ready": true}, or
{"error": [..], "in_use": pid or null}. When the driver's end of the socket goes, the zygote ends. The VMMs do not: each
is a grandchild in a session of its own.

The zygote has one thread and must never get a second: fork() copies only the one that calls it.
"""

from __future__ import annotations

import fcntl
import gc
import logging
import os
import signal
import socket
import sys
from pathlib import Path
from typing import Any, NoReturn

import orjson

from nova_lite.hv.vmm import config, confinement, process, rehearsal, shared_heap
from nova_lite.hv.vmm.api_socket import ApiSocket
from nova_lite.hv.vmm.errors import SocketInUse, VmmError
from nova_lite.hv.vmm.server import Server
from nova_lite.hv.vmm.zygote_protocol import MAX_DESCRIPTORS, MAX_REQUEST

LOG = logging.getLogger(__name__)

#: A VMM's log is emptied when it has grown to this: its guest can make it write lines for ever.
MAX_LOG = 256 << 10
#: Where a VMM finds the report pipe, and after it what it was given.
_FIRST_KEPT = 3


def main() -> NoReturn:
    logging.basicConfig(
        handlers=[_BoundedHandler(sys.stderr)],
        level=logging.INFO,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )
    channel = socket.socket(fileno=0)
    place = confinement.command_line_place()
    confinement.set_name(b"nl-zygote", b"nova-lite-zygote", place)
    rehearsal.run()
    gc.disable()
    gc.collect()
    gc.freeze()  # a collection in a VMM would touch, and so copy, the pages of every object made until here
    try:
        shared_heap.share()
    except OSError as error:
        LOG.warning("VMMs need more memory each, for the zygote's heap cannot be shared: %s", error.strerror)
    while True:
        request, fds, _flags, _address = socket.recv_fds(channel, MAX_REQUEST, 1 + MAX_DESCRIPTORS)
        if not request:
            os._exit(0)
        report, *given = fds
        child = os.fork()
        if child == 0:
            _start_vmm(orjson.loads(request), report, given, place)
        for fd in fds:
            os.close(fd)
        os.waitpid(child, 0)


def _start_vmm(request: dict[str, Any], report: int, given: list[int], place: tuple[int, int]) -> NoReturn:
    """In the child: leave a grandchild behind that belongs to nobody, and end."""
    os.setsid()
    if os.fork() != 0:
        os._exit(0)
    status = 1
    try:
        _run_vmm(request, _Report(report), given, place)
        status = 0
    except BaseException:  # the last frame of the process: whatever it was belongs in the log
        LOG.exception("The VMM ends")
    finally:
        os._exit(status)


class _Report:
    """The pipe to the driver. It may be gone: the VM must not care."""

    def __init__(self, fd: int) -> None:
        self.fd = fd

    def send(self, document: dict[str, Any]) -> None:
        try:
            os.write(self.fd, orjson.dumps(document) + b"\n")
        except BrokenPipeError:
            LOG.info("The driver went away while this VMM started")

    def close(self) -> None:
        os.close(self.fd)


def _run_vmm(request: dict[str, Any], report: _Report, given: list[int], place: tuple[int, int]) -> None:
    # What runs from here on copies the pages that it touches, in every VMM: plain calls instead of comfortable ones.
    path = Path(request["socket"])
    report.fd = _keep_only([report.fd, *given], os.path.dirname(request["socket"]) + "/vmm.log")
    pid = os.getpid()
    report.send({"pid": pid, "start_time": process.start_time(pid)})
    os.umask(0o077)
    os.chdir("/")
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    _be_an_ordinary_victim()
    name, arguments = f"vmm-{request['name']}", f"nova-lite-vmm\0--api-socket\0{path}"
    confinement.set_name(os.fsencode(name), os.fsencode(arguments), place)
    confinement.drop_privileges()
    gc.enable()
    try:
        server = Server(ApiSocket(path), on_rest=_rest)
    except SocketInUse as error:
        report.send({"error": [str(error)], "in_use": error.pid})
        return
    except OSError as error:
        LOG.exception("The API socket cannot be made")
        report.send({"error": ["The API socket cannot be made", error.strerror or str(error)], "in_use": None})
        return
    try:
        for card in request["config"].get("net", ()):
            card["fds"] = [_FIRST_KEPT + 1 + number for number in card["fds"]]
        vm_config = config.parse(request["config"], with_descriptors=True)
        if request["restore"] is None:
            server.boot(vm_config)
        else:
            server.restore(vm_config, Path(request["restore"]))
        report.send({"ready": True})
        report.close()
        server.run()
    except VmmError as error:
        LOG.error("The machine does not start: %s", error)
        server.close()  # before the driver hears of it: nothing may be left
        report.send({"error": list(error.chain), "in_use": None})
    else:
        server.close()


def _rest() -> None:
    try:
        shared_heap.give_back()
    except OSError as error:
        LOG.warning("Memory cannot be given back: %s", error.strerror)


def _keep_only(kept: list[int], log: str) -> int:
    """Standard input from nowhere, both outputs to ``log``, ``kept`` as descriptors 3 and following, and nothing else.

    The first of them.
    """
    end = _FIRST_KEPT + len(kept)
    above = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, end) for fd in kept]  # out of each other's way
    for number, fd in enumerate(above, _FIRST_KEPT):
        os.dup2(fd, number, inheritable=False)
    nowhere = os.open("/dev/null", os.O_RDONLY)
    os.dup2(nowhere, 0)
    out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600)
    os.dup2(out, 1)
    os.dup2(out, 2)
    os.closerange(end, os.sysconf("SC_OPEN_MAX"))
    return _FIRST_KEPT


def _be_an_ordinary_victim() -> None:
    """The service may be protected from the OOM killer; a guest's memory must not be."""
    score = os.open("/proc/self/oom_score_adj", os.O_RDWR | os.O_CLOEXEC)
    if os.read(score, 16) != b"0\n":
        os.pwrite(score, b"0", 0)
    os.close(score)


class _BoundedHandler(logging.StreamHandler):  # type: ignore[type-arg]
    """Standard error as a log file that never grows for ever."""

    def emit(self, record: logging.LogRecord) -> None:
        if os.fstat(2).st_size > MAX_LOG:
            os.ftruncate(2, 0)
        super().emit(record)

