"""Images of a real Glance in place of the embedded Image service: ``[image] service = glance``."""
