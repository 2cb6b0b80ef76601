"""nova_lite: the OpenStack Compute API on one machine, over its own KVM virtual machines."""

__version__ = "0.1.0"
