"""OpenStack's own integration tests, Tempest, against a service of their own: `make tempest`."""
