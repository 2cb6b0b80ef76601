"""The config drives of this host's servers: made before a boot where they are missing, gone with the server."""

from __future__ import annotations

import errno
import os

from oslo_config import cfg

from nova_lite import conf as conf_module
from nova_lite import objects
from nova_lite.db.engine import Database
from nova_lite.hv.driver import DiskSpec, DriverError
from nova_lite.metadata import config_drive, documents, facts

#: Its name beside the disks', which are named by the guest's letters.
NAME = "config"
_FULL = (errno.ENOSPC, errno.EDQUOT)


class ConfigDrives:
    def __init__(self, conf: cfg.ConfigOpts, database: Database) -> None:
        self._conf, self._database, self._paths = conf, database, conf_module.paths(conf)

    def specs(self, instance: objects.Instance) -> tuple[DiskSpec, ...]:
        """The drive of a server that has one, as one more disk."""
        if not instance.config_drive:
            return ()
        path = self._paths.config_drive(instance.uuid)
        size = path.stat().st_size if path.exists() else 0
        return (DiskSpec(NAME, path, size, format="raw", readonly=True, serial=config_drive.LABEL),)

    def make(self, instance: objects.Instance) -> None:
        """Have the drive there, for a server that has one. It says what was true at the first boot.

        :raises DriverError: it cannot be made.
        """
        path = self._paths.config_drive(instance.uuid)
        if not instance.config_drive or path.exists():
            return
        try:
            with self._database.read() as connection:
                known = facts.load(connection, self._conf, instance)
            path.parent.mkdir(mode=0o700, exist_ok=True)
            config_drive.write(path, documents.drive_files(known))
        except facts.VendorDataError as error:
            raise DriverError(f"The server's config drive cannot be made: {error}.") from error
        except OSError as error:
            what = "the host has no space left for it" if error.errno in _FULL else error.strerror or str(error)
            raise DriverError(f"The server's config drive cannot be made: {what}.") from error

    def remove(self, uuid: str) -> None:
        """Nothing of a server's drive afterwards, nor of its folder if that was all."""
        path = self._paths.config_drive(uuid)
        try:
            path.unlink(missing_ok=True)
            path.with_name(f"{path.name}.new").unlink(missing_ok=True)
            if path.parent.is_dir() and not os.listdir(path.parent):
                path.parent.rmdir()
        except OSError as error:
            raise DriverError(f"The server's config drive cannot be removed: {error.strerror}.") from error
