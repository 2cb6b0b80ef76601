"""Python's heap in the zygote, made such that a VMM can go back to sharing the pages that it has not changed after all.

CPython counts references in the objects themselves: to look at one is to write to its page, which copies the page in a
forked process. Most counts are soon what they were, but the copy remains. ``shared_heap.c`` drops it.

What was made before ``install`` lies elsewhere and stays copied; so this module imports next to nothing.
"""

from __future__ import annotations

import ctypes

import nova_lite.hv.native

#: The extension module as a plain library: ctypes.PyDLL keeps the GIL during a call, for Python must not run meanwhile.
_LIBRARY = nova_lite.hv.native.__path__[0] + "/_kvm.abi3.so"


class _ArenaAllocator(ctypes.Structure):
    """PyObjectArenaAllocator of CPython's API."""

    _fields_ = [("context", ctypes.c_void_p), ("alloc", ctypes.c_void_p), ("free", ctypes.c_void_p)]


_native = ctypes.PyDLL(_LIBRARY)
_native.nl_heap_size.restype = ctypes.c_size_t
_native.nl_heap_give_back.restype = ctypes.c_long
_rest_of_the_last_arena: list[bytes] = []


def install() -> None:
    """New objects come from the place that can be shared."""
    alloc, free = (ctypes.cast(f, ctypes.c_void_p) for f in (_native.nl_arena_alloc, _native.nl_arena_free))
    ctypes.pythonapi.PyObject_SetArenaAllocator(ctypes.byref(_ArenaAllocator(None, alloc, free)))
    while _native.nl_heap_size() == 0:
        _rest_of_the_last_arena.append(bytes(470))  # of the largest size that is not malloc's


def share() -> None:
    """Before the first fork, in a process of one thread: the heap is complete.

    :raises OSError: it cannot be shared; forks work, and need more memory.
    """
    _checked(_native.nl_heap_share())


def give_back() -> None:
    """In a fork that has come to rest. Nothing to do where there is no shared heap.

    :raises OSError: the process' pages cannot be looked at.
    """
    import threading  # not earlier, see above

    # Another thread might be in a system call that writes into an object of ours, without the GIL.
    if threading.active_count() == 1:
        _checked(_native.nl_heap_give_back())


def _checked(result: int) -> None:
    if result < 0:
        import os

        raise OSError(-result, os.strerror(-result))
