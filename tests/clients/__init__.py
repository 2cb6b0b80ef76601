"""Unmodified clients of OpenStack against a service with real VMs: `make clients`."""
