"""Volumes, snapshots and what else Volume v3 shows."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from nova_lite import objects
from nova_lite.api import wsgi
from nova_lite.compute.volume_service import VolumeAttachment
from nova_lite.volumes.types import TYPE_ID, TYPE_NAME

#: The one type that volumes have.
TYPE = {
    "id": TYPE_ID,
    "name": TYPE_NAME,
    "description": "Raw files with holes on this host",
    "is_public": True,
    "os-volume-type-access:is_public": True,
    "qos_specs_id": None,
    "extra_specs": {},
}


def time(value: datetime | None) -> str | None:
    """Cinder's form: UTC without saying so."""
    return None if value is None else value.replace(tzinfo=None).isoformat(timespec="microseconds")


def volume(
    req: wsgi.Request, found: objects.Volume, attachments: Mapping[str, VolumeAttachment], zone: str
) -> dict[str, Any]:
    attached = attachments.get(found.uuid)
    shown = attached is not None and found.status in ("in-use", "detaching")
    view: dict[str, Any] = {
        "id": found.uuid,
        "name": found.name or None,
        "description": found.description,
        "status": found.status,
        "size": found.size_gb,
        "availability_zone": zone,
        "created_at": time(found.created_at),
        "updated_at": time(found.updated_at),
        "volume_type": TYPE["name"],
        "snapshot_id": found.snapshot_id,
        "source_volid": found.source_volid,
        "metadata": found.metadata,
        "links": links(req, "volumes", found.uuid),
        "user_id": found.user_id,
        "bootable": "true" if found.bootable or found.said_bootable else "false",
        "encrypted": False,
        "replication_status": None,
        "consistencygroup_id": None,
        "multiattach": False,
        "migration_status": None,
        "attachments": [attachment(attached)] if attached is not None and shown else [],
        "os-vol-tenant-attr:tenant_id": found.project_id,
        "os-vol-mig-status-attr:migstat": None,
        "os-vol-mig-status-attr:name_id": None,
        "os-vol-host-attr:host": f"{found.host}@local#local",
    }
    if found.image_metadata:
        view["volume_image_metadata"] = found.image_metadata
    return view


def attachment(attached: VolumeAttachment) -> dict[str, Any]:
    return {
        "id": attached.volume_id,
        "attachment_id": attached.attachment_id,
        "volume_id": attached.volume_id,
        "server_id": attached.server_id,
        "host_name": None,
        "device": attached.device,
        "attached_at": None,
    }


def snapshot(found: objects.VolumeSnapshot) -> dict[str, Any]:
    done = found.status == "available"
    return {
        "id": found.uuid,
        "name": found.name or None,
        "description": found.description,
        "volume_id": found.volume_id,
        "status": found.status,
        "size": found.size_gb,
        "created_at": time(found.created_at),
        "updated_at": time(found.updated_at),
        "metadata": found.metadata,
        "os-extended-snapshot-attributes:progress": "100%" if done else "0%",
        "os-extended-snapshot-attributes:project_id": found.project_id,
    }


def links(req: wsgi.Request, collection: str, uuid: str) -> list[dict[str, str]]:
    root, path = base_url(req), f"{collection}/{uuid}"
    return [{"rel": "self", "href": f"{root}/v3/{path}"}, {"rel": "bookmark", "href": f"{root}/{path}"}]


def base_url(req: wsgi.Request) -> str:
    """Where the caller reaches this service."""
    if req.conf.endpoint_url:
        return f"{req.conf.endpoint_url.rstrip('/')}{req.http.root_path}"
    return str(req.http.prefix)
