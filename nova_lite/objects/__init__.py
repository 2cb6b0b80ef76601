"""What controllers and policies see: plain dataclasses, one module per resource, no active record.

Every object that a route can name has ``policy_target()``: the flat dict that oslo.policy rules are matched against.
"""

from nova_lite.objects.aggregate import Aggregate
from nova_lite.objects.block_device import BlockDevice
from nova_lite.objects.flavor import Flavor
from nova_lite.objects.image import NO_IMAGE, Image
from nova_lite.objects.instance import Fault, Instance
from nova_lite.objects.keypair import Keypair
from nova_lite.objects.migration import Migration
from nova_lite.objects.network import (
    FLOATING_IP,
    ROUTER_INTERFACE,
    FloatingIP,
    Network,
    Port,
    Router,
    SecurityGroup,
    SecurityGroupRule,
    Subnet,
)
from nova_lite.objects.operation import Event, Operation
from nova_lite.objects.ownerless import Ownerless
from nova_lite.objects.server_group import ServerGroup
from nova_lite.objects.service import Hypervisor, Service
from nova_lite.objects.volume import Volume, VolumeSnapshot

__all__ = [
    "Aggregate",
    "FLOATING_IP",
    "NO_IMAGE",
    "ROUTER_INTERFACE",
    "BlockDevice",
    "Event",
    "Fault",
    "Flavor",
    "FloatingIP",
    "Hypervisor",
    "Image",
    "Instance",
    "Keypair",
    "Migration",
    "Network",
    "Operation",
    "Ownerless",
    "Port",
    "Router",
    "SecurityGroup",
    "SecurityGroupRule",
    "ServerGroup",
    "Service",
    "Subnet",
    "Volume",
    "VolumeSnapshot",
]
