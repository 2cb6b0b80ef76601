"""python-novaclient at its newest and at its oldest microversion."""

import sys
import time

import openstack
from novaclient import client

image, flavor, network = sys.argv[1:]
session = openstack.connect().session
net = openstack.connect().network.find_network(network).id


def wait(get, wanted):
    for _ in range(600):
        found = get()
        if found == wanted:
            return
        assert found != "ERROR", found
        time.sleep(0.3)
    raise AssertionError(f"{found} and not {wanted}")


def life(nova, version):
    size = nova.flavors.find(name=flavor)
    server = nova.servers.create(f"nova-{version}", image, size, nics=[{"net-id": net}], meta={"v": version})
    wait(lambda: nova.servers.get(server.id).status, "ACTIVE")
    assert server.id in [one.id for one in nova.servers.list()]
    assert nova.servers.get(server.id).networks[network]
    assert nova.servers.get_console_output(server)
    nova.servers.stop(server)
    wait(lambda: nova.servers.get(server.id).status, "SHUTOFF")
    nova.servers.start(server)
    wait(lambda: nova.servers.get(server.id).status, "ACTIVE")
    nova.servers.update(server, name="renamed")
    assert nova.servers.get(server.id).name == "renamed"
    nova.servers.set_meta(server, {"more": "1"})
    assert nova.servers.get(server.id).metadata == {"v": version, "more": "1"}
    assert nova.instance_action.list(server)
    nova.servers.delete(server)
    wait(lambda: server.id in [one.id for one in nova.servers.list()], False)
    assert nova.hypervisors.list() and nova.services.list() and nova.availability_zones.list()
    assert nova.limits.get().absolute and nova.keypairs.list() == []


for version in ("2.1", "2.53", "2.96"):
    life(client.Client(version, session=session), version)
print("all is well")
