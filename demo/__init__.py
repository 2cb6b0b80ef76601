"""`make demo`: the main job of nova_lite, shown by an HTTP client against a real service."""
