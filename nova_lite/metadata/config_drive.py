"""The config drive: a server's metadata as a small read-only disk, ISO 9660 named ``config-2``, in OpenStack's layout.

Linux shows the names by Rock Ridge, Windows by Joliet; below both are the plain names of ISO 9660.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterable
from pathlib import Path

LABEL = "config-2"
_FILE_MODE, _READ_ONLY = 0o100444, 0o040555  # S_IFREG, S_IFDIR with who may what


def image(files: Iterable[tuple[str, bytes]]) -> bytes:
    """The drive with these files: (path such as ``openstack/latest/user_data``, content)."""
    import pycdlib  # only servers with a drive need it

    iso = pycdlib.PyCdlib()
    iso.new(interchange_level=3, joliet=3, rock_ridge="1.09", vol_ident=LABEL, app_ident_str="nova-lite")
    plain = {"": ""}  # folder → its plain path
    for number, (path, content) in enumerate(files):
        *folders, name = path.split("/")
        parent = ""
        for folder in folders:
            here = f"{parent}/{folder}"
            if here not in plain:
                plain[here] = f"{plain[parent]}/D{len(plain):07}"
                iso.add_directory(plain[here], rr_name=folder, joliet_path=here, file_mode=_READ_ONLY)
            parent = here
        iso.add_fp(
            io.BytesIO(content),
            len(content),
            f"{plain[parent]}/F{number:07}.;1",
            rr_name=name,
            joliet_path=f"{parent}/{name}",
            file_mode=_FILE_MODE,
        )
    made = io.BytesIO()
    iso.write_fp(made)
    iso.close()
    return made.getvalue()


def write(path: Path, files: Iterable[tuple[str, bytes]]) -> None:
    """Put the drive at ``path``, whole or not at all, whenever this is cut off. OSError when it cannot be."""
    draft = path.with_name(f"{path.name}.new")
    with draft.open("wb") as file:
        os.fchmod(file.fileno(), 0o400)
        file.write(image(files))
        file.flush()
        os.fsync(file.fileno())
    draft.rename(path)
