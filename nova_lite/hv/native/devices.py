"""virtio devices as Python describes them to a ``Machine``: dataclasses of open descriptors and plain numbers.

The machine keeps duplicates of the descriptors; the caller closes its own when ``Machine.add`` has returned.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

from nova_lite.hv.native._kvm import ffi, lib


class Device(Protocol):
    """Something that ``Machine.add`` takes. ``id`` names it in the counters; at most 31 bytes of it are kept."""

    @property
    def id(self) -> str: ...

    def add_to(self, native: Any, error: Any) -> int: ...


@dataclass(frozen=True)
class TokenBucket:
    """``size`` tokens come back in ``refill_ms``; ``one_time_burst`` come once. Size 0: no limit."""

    size: int = 0
    one_time_burst: int = 0
    refill_ms: int = 0

    def native(self) -> dict[str, int]:
        return {"size": self.size, "one_time_burst": self.one_time_burst, "refill_ms": self.refill_ms}


@dataclass(frozen=True)
class RateLimiter:
    """Limits of bytes and of operations."""

    bandwidth: TokenBucket = field(default_factory=TokenBucket)
    ops: TokenBucket = field(default_factory=TokenBucket)

    def native(self) -> dict[str, dict[str, int]]:
        return {"bandwidth": self.bandwidth.native(), "ops": self.ops.native()}


@dataclass(frozen=True)
class Rng:
    """Random bytes read from ``fd``."""

    id: str
    fd: int

    def add_to(self, native: Any, error: Any) -> int:
        return int(lib.nl_machine_add_rng(native, self.id.encode(), self.fd, error))


@dataclass(frozen=True)
class Overlay:
    """How a copy-on-write overlay lies in its file, in bytes; ``base_fd``: its base, opened for reading, or -1."""

    size: int
    bitmap_offset: int
    data_offset: int
    base_fd: int = -1

    def native(self) -> dict[str, int]:
        return {"size": self.size, "bitmap_offset": self.bitmap_offset, "data_offset": self.data_offset}


@dataclass(frozen=True)
class Disk:
    """A raw image or a block device, open as ``fd``; or an overlay if ``overlay`` says where its parts lie.

    ``serial``: at most 20 bytes. ``disable_io_uring``: threads move the data also where the host has io_uring.
    ``rate_limit_group``: one of the machine's, whose limits hold in place of ``limiter``; empty: none.
    """

    id: str
    fd: int
    read_only: bool = False
    queues: int = 1
    queue_size: int = 128
    serial: str = ""
    discard: bool = True
    disable_io_uring: bool = False
    limiter: RateLimiter = field(default_factory=RateLimiter)
    rate_limit_group: str = ""
    overlay: Overlay | None = None

    def add_to(self, native: Any, error: Any) -> int:
        config = ffi.new(
            "struct nl_disk_config *",
            {
                "fd": self.fd,
                "base_fd": self.overlay.base_fd if self.overlay else -1,
                "overlay": self.overlay.native() if self.overlay else {},
                "queues": self.queues,
                "queue_size": self.queue_size,
                "read_only": self.read_only,
                "discard": self.discard,
                "disable_io_uring": self.disable_io_uring,
                "serial": self.serial.encode()[:20],
                "rate_limit_group": self.rate_limit_group.encode()[:31],
                "limiter": self.limiter.native(),
            },
        )
        return int(lib.nl_machine_add_disk(native, self.id.encode(), config, error))


@dataclass(frozen=True)
class Net:
    """A network card on a tap, open once for each pair of queues: nonblocking, IFF_VNET_HDR, headers of 12 bytes.

    ``mac``: six bytes. ``mtu`` 0: not told to the guest. The limiter holds in each direction by itself.
    """

    id: str
    tap_fds: tuple[int, ...]
    mac: bytes
    queue_size: int = 256
    mtu: int = 0
    offload_tso: bool = True
    offload_csum: bool = True
    limiter: RateLimiter = field(default_factory=RateLimiter)

    def add_to(self, native: Any, error: Any) -> int:
        config = ffi.new(
            "struct nl_net_config *",
            {
                "pairs": len(self.tap_fds),
                "tap_fds": list(self.tap_fds),
                "queue_size": self.queue_size,
                "mac": list(self.mac),
                "mtu": self.mtu,
                "offload_tso": self.offload_tso,
                "offload_csum": self.offload_csum,
                "limiter": self.limiter.native(),
            },
        )
        return int(lib.nl_machine_add_net(native, self.id.encode(), config, error))


@dataclass(frozen=True)
class Vsock:
    """Streams between the guest's ``cid`` and UNIX sockets.

    Clients of ``listen_fd``, a listening nonblocking UNIX socket, say ``CONNECT <port>``; where the guest connects to
    port N, ``<path>_<N>`` is tried. ``path``: at most 99 bytes.
    """

    id: str
    cid: int
    listen_fd: int
    path: str

    def add_to(self, native: Any, error: Any) -> int:
        config = ffi.new(
            "struct nl_vsock_config *", {"cid": self.cid, "listen_fd": self.listen_fd, "path": self.path.encode()}
        )
        return int(lib.nl_machine_add_vsock(native, self.id.encode(), config, error))


@dataclass(frozen=True)
class Console:
    """hvc0 of the guest. ``out_fd``: nonblocking, takes its output; -1: nobody listens. One in a machine."""

    id: str
    out_fd: int = -1

    def add_to(self, native: Any, error: Any) -> int:
        return int(lib.nl_machine_add_console(native, self.id.encode(), self.out_fd, error))


@dataclass(frozen=True)
class Balloon:
    """Memory that the guest gives back: ``size`` bytes from the start, and what it does not use if it reports that."""

    id: str
    size: int = 0
    deflate_on_oom: bool = False
    free_page_reporting: bool = False

    def add_to(self, native: Any, error: Any) -> int:
        config = ffi.new(
            "struct nl_balloon_config *",
            {
                "size": self.size,
                "deflate_on_oom": self.deflate_on_oom,
                "free_page_reporting": self.free_page_reporting,
            },
        )
        return int(lib.nl_machine_add_balloon(native, self.id.encode(), config, error))
