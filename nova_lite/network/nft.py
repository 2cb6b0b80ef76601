"""nftables by libnftables, in this process: a transaction costs its own time and no other program's start."""

from __future__ import annotations

import ctypes
import functools
from types import TracebackType

from nova_lite.network.commands import NetworkError


@functools.cache
def _library() -> ctypes.CDLL:
    try:
        library = ctypes.CDLL("libnftables.so.1")
    except OSError as error:
        raise NetworkError("libnftables.so.1 is not installed (Debian: nftables).") from error
    library.nft_ctx_new.argtypes, library.nft_ctx_new.restype = [ctypes.c_uint32], ctypes.c_void_p
    library.nft_ctx_free.argtypes, library.nft_ctx_free.restype = [ctypes.c_void_p], None
    library.nft_ctx_set_dry_run.argtypes, library.nft_ctx_set_dry_run.restype = [ctypes.c_void_p, ctypes.c_bool], None
    library.nft_run_cmd_from_buffer.argtypes = [ctypes.c_void_p, ctypes.c_char_p]
    for name in ("nft_ctx_buffer_output", "nft_ctx_buffer_error"):
        getattr(library, name).argtypes = [ctypes.c_void_p]
    for name in ("nft_ctx_get_output_buffer", "nft_ctx_get_error_buffer"):
        getattr(library, name).argtypes = [ctypes.c_void_p]
        getattr(library, name).restype = ctypes.c_char_p
    return library


class Nft:
    """nft's language spoken to the kernel, in the network namespace of the thread that makes this. One thread at a
    time. :raises NetworkError: there is no libnftables."""

    def __init__(self) -> None:
        self._library = _library()
        self._context = self._library.nft_ctx_new(0)
        if not self._context:
            raise NetworkError("libnftables does not start.")
        self._library.nft_ctx_buffer_output(self._context)
        self._library.nft_ctx_buffer_error(self._context)

    def __enter__(self) -> Nft:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        context, self._context = self._context, None
        if context:
            self._library.nft_ctx_free(context)

    def run(self, script: str, dry_run: bool = False) -> str:
        """What the commands print. All of them take effect, or none. :raises NetworkError: with nft's words.

        :param dry_run: take them apart, and leave the kernel alone.
        """
        library = self._library
        library.nft_ctx_set_dry_run(self._context, dry_run)
        failed = library.nft_run_cmd_from_buffer(self._context, script.encode())
        printed = library.nft_ctx_get_output_buffer(self._context) or b""
        if failed:
            words = (library.nft_ctx_get_error_buffer(self._context) or b"").decode(errors="replace").splitlines()
            raise NetworkError(f"nft: {words[0] if words else 'failed without a word'}")
        return printed.decode(errors="replace")


def tables() -> list[str]:
    """The names of all tables on this host, each once."""
    with Nft() as nft:
        words = [line.split() for line in nft.run("list tables").splitlines()]
    return sorted({name[2] for name in words if len(name) == 3})
