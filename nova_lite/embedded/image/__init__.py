"""Image v2 over the local image store: what servers boot, uploaded and managed by the projects that own it."""
