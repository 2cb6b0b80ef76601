"""What a server boots whose image named no kernel: what its own disk says at each power-on, as a PC would.

A server that has written nothing yet boots what was found on the image's disk when that was added. After that its own
disk is looked into anew: a guest that has got itself another kernel boots that one. Where a disk boots nothing, a small
guest says on the console what was looked for and not found.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

from nova_lite import objects
from nova_lite.compute.images import ImageStore
from nova_lite.disks import overlay
from nova_lite.disks.boot import find, reader
from nova_lite.disks.overlay_format import OverlayError
from nova_lite.hv.driver import DiskSpec
from nova_lite.hv.guests import NOTHING_BOOTABLE
from nova_lite.hv.vmm import loader
from nova_lite.paths import Paths

LOG = logging.getLogger(__name__)

#: Of what the guest that says so is given to say; a command line has 2047 bytes.
_WORDS_MAX = 1900


@dataclass(frozen=True)
class BootFiles:
    """What the VMM loads; absolute paths."""

    kernel: Path
    kernel_format: str
    initramfs: Path | None = None
    cmdline: str = ""


class Booting:
    """``firmware``: a PVH ELF file that boots the disks of images without a kernel; None looks into them instead."""

    def __init__(self, paths: Paths, images: ImageStore, firmware: Path | None) -> None:
        self._paths, self._images, self._firmware = paths, images, firmware

    def of_image(self, image: objects.Image) -> BootFiles:
        """What a server of the image boots as far as is known without its disk."""
        if image.boots_from_disk and self._firmware is not None:
            return BootFiles(self._firmware, loader.PVH)
        if not image.kernel:
            return _say("the image names no kernel")
        return BootFiles(
            self._images.kernel(image), image.kernel_format, self._images.initramfs(image), image.cmdline
        )

    def of_server(self, uuid: str, image: objects.Image, root: DiskSpec | None, memory_mb: int) -> BootFiles:
        """What a server boots now. It must be off: its disk is read."""
        files = self.of_image(image)
        if not image.boots_from_disk or self._firmware is not None or root is None or not root.path.exists():
            return files
        try:
            if root.format == "raw":
                with open(root.path, "rb") as file:
                    disk = reader.Disk.of_file(file.fileno(), root.size)
                    return self._look_into(uuid, image, disk, memory_mb)
            with overlay.open_view(root.path, root.backing) as view:
                if image.kernel and not any(view.bitmap):
                    return files
                return self._look_into(uuid, image, reader.Disk(view.read, view.size), memory_mb)
        except find.NothingBootable as error:
            LOG.warning("Server %s: %s", uuid, error)
            return _say(*error.report)
        except (reader.DiskError, loader.LoaderError) as error:
            LOG.warning("Server %s cannot boot its disk: %s", uuid, error)
            return _say(str(error))
        except (reader.ReaderError, OverlayError, OSError) as error:
            # The host's fault, not the disk's, or one that the driver will name: the image's kernel, if it has one.
            LOG.error("The disk of server %s cannot be looked into: %s", uuid, error)
            return files

    def _look_into(self, uuid: str, image: objects.Image, disk: reader.Disk, memory_mb: int) -> BootFiles:
        payload = find.extract(disk, find.entry(disk), self._paths.boot(uuid))
        cmdline = self._images.cmdline_override(image) or payload.cmdline
        form = loader.check(payload.kernel, memory_mb << 20, None, payload.initramfs, cmdline)
        return BootFiles(payload.kernel, form, payload.initramfs, cmdline)


def _say(*notes: str) -> BootFiles:
    """The guest that says these, and what a user can do."""
    lines = ["", "Nothing to boot.", "", *(f"  {note}" for note in notes)]
    end = ["", "Stop the server and repair its disk, or make another server of an image that boots.", ""]
    text = "\n".join(lines).encode("ascii", "replace")[: _WORDS_MAX - len("\n".join(end)) - 4]
    words = "".join(c if c.isprintable() or c == "\n" else "?" for c in text.decode("ascii"))
    return BootFiles(NOTHING_BOOTABLE, loader.ELF64, None, words + "\n" + "\n".join(end))
