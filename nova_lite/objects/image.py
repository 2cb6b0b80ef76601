"""Image: what a server boots; a kernel on this host, and a disk if it has one, with their properties."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

#: The folder of an image with what its disk boots.
BOOT = "boot"

#: The visibility here of an image that belongs to a Glance: that decides who may use it, whenever somebody asks. Its
#: data is on this host when its ``checksum`` is known.
GLANCE = "glance"


@dataclass
class Image:
    """A local image; ``min_disk`` is in GiB, ``min_ram`` in MiB, ``size`` in bytes, ``properties`` free-form strings.

    ``kernel`` and ``initramfs`` name the files below the image store that the VMM loads; ``size`` is that of all
    given files. ``disk`` names the raw disk there, of ``virtual_size`` bytes, that servers' disks are made from;
    ``disk_format`` is what the given file was, ``os_hash_value`` its digest by ``os_hash_algo``.
    ``kernel_format`` says how the kernel is started: ``flat16`` (real mode at 0x10000), ``elf64``, ``pvh`` or
    ``bzimage``. Where no kernel was given beside the disk, both are of the one that was found on it, in the folder
    BOOT, or "" if there is none.

    ``data`` names the file below the store that is the image as it was given, None where several were or none is kept;
    ``checksum`` is its md5. ``disk_format`` and ``container_format`` are None as long as nobody has said them.
    """

    id: str
    name: str
    kernel: str
    kernel_format: str
    size: int
    status: str = "active"
    visibility: str = "public"
    project_id: str | None = None
    min_disk: int = 0
    min_ram: int = 0
    initramfs: str | None = None
    cmdline: str = ""
    disk: str | None = None
    disk_format: str | None = None
    virtual_size: int | None = None
    os_hash_algo: str | None = None
    os_hash_value: str | None = None
    properties: dict[str, str] = field(default_factory=dict)
    created_at: datetime | None = None
    updated_at: datetime | None = None
    data: str | None = None
    checksum: str | None = None
    container_format: str | None = None
    protected: bool = False
    os_hidden: bool = False
    tags: list[str] = field(default_factory=list)

    @property
    def boots_from_disk(self) -> bool:
        """Whether servers of it boot what their own disks say."""
        return (self is NO_IMAGE or bool(self.disk)) and (not self.kernel or self.kernel.startswith(f"{BOOT}/"))

    def seen_by(self, project_id: str | None, is_admin: bool) -> bool:
        """Whether a caller of that project may know of it, and make servers of it."""
        return self.visibility in ("public", "community", GLANCE) or is_admin or self.project_id == project_id

    def policy_target(self) -> dict[str, object]:
        return {"project_id": self.project_id}


#: Of a server whose root disk is a volume that no image was ever written to.
NO_IMAGE = Image(id="", name="", kernel="", kernel_format="", size=0)
