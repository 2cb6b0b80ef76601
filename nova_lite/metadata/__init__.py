"""What a server is told about itself: one source for the metadata service and the config drive."""
