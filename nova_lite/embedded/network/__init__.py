"""Network v2 over the networks of this host: what clients ask for beside servers, in Neutron's form."""
