"""What a VMM gives up before its guest runs: capabilities, ways to gain any, core dumps; and the name it bears.

Namespaces, an unprivileged user and seccomp filters are the jail's work and not done here.
"""

from __future__ import annotations

import ctypes
import os
import resource
from collections.abc import Collection
from pathlib import Path

_PR_SET_NAME = 15
_PR_CAPBSET_DROP = 24
_PR_SET_NO_NEW_PRIVS = 38
_CAPABILITY_VERSION_3 = 0x20080522
_MAX_OPEN_FILES = 1024

_LAST_CAPABILITY = int(Path("/proc/sys/kernel/cap_last_cap").read_text())

_libc = ctypes.CDLL(None, use_errno=True)


class _CapabilityHeader(ctypes.Structure):
    _fields_ = [("version", ctypes.c_uint32), ("pid", ctypes.c_int)]


class _CapabilityData(ctypes.Structure):
    _fields_ = [("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32)]


def drop_privileges(keep: Collection[int] = ()) -> None:
    """No capabilities but what we have of those to ``keep`` (below 32), none to be gained, no core dumps, few files.

    Root stays the owner of root's files, no more.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    limit = _MAX_OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, _MAX_OPEN_FILES)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    if os.geteuid() == 0:
        for capability in set(range(_LAST_CAPABILITY + 1)) - set(keep):
            _libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)  # EPERM: was not ours to begin with
    header = _CapabilityHeader(_CAPABILITY_VERSION_3, 0)
    kept = (_CapabilityData * 2)()
    if keep:
        permitted = int(Path("/proc/self/status").read_text().partition("CapPrm:")[2].split()[0], 16)
        kept[0].effective = kept[0].permitted = permitted & sum(1 << capability for capability in keep)
    _check(_libc.capset(ctypes.byref(header), kept), "capset")
    _check(_libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "prctl(PR_SET_NO_NEW_PRIVS)")


def command_line_place() -> tuple[int, int]:
    """Address and size of this process's command line, and of its forks'."""
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    start, end = int(fields[45]), int(fields[46])  # arg_start, arg_end: fields 48 and 49
    return start, end - start


def set_name(short: bytes, arguments: bytes, place: tuple[int, int]) -> None:
    """What ps shows: ``short`` (15 bytes) as the name, ``arguments`` (NUL between them) as the command line.

    The command line is written over the old one at ``place`` and cut to its length.
    """
    _check(_libc.prctl(_PR_SET_NAME, short[:15], 0, 0, 0), "prctl(PR_SET_NAME)")
    start, room = place
    memory = os.open("/proc/self/mem", os.O_WRONLY | os.O_CLOEXEC)
    os.pwrite(memory, arguments[: room - 1].ljust(room, b"\0"), start)
    os.close(memory)


def _check(result: int, call: str) -> None:
    if result != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{call}: {os.strerror(code)}")
