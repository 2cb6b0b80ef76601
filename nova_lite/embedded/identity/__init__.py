"""Identity v3: passwords and tokens, the catalog, users, projects and roles of the one domain, Default."""
