"""Image v2 over the local image store: what clients look at before they ask for a server."""
