"""openstacksdk: servers, images, volumes and networks through its proxies and its cloud layer."""

import sys

import openstack

image, flavor, network = sys.argv[1:]
cloud = openstack.connect()

found = cloud.compute.find_flavor(flavor)
assert found.ram > 0
net = cloud.network.find_network(network)
keypair = cloud.compute.create_keypair(name="sdk")
assert keypair.private_key
server = cloud.compute.create_server(
    name="sdk", image_id=image, flavor_id=found.id, networks=[{"uuid": net.id}], key_name="sdk", metadata={"by": "sdk"}
)
server = cloud.compute.wait_for_server(server, wait=180)
assert server.status == "ACTIVE" and server.addresses[network], server
assert [one.id for one in cloud.compute.servers(name="sdk")] == [server.id]
assert cloud.compute.get_server_metadata(server).metadata == {"by": "sdk"}
assert list(cloud.compute.server_interfaces(server))[0].net_id == net.id
cloud.compute.stop_server(server)
cloud.compute.wait_for_server(server, status="SHUTOFF", wait=180)
cloud.compute.start_server(server)
cloud.compute.wait_for_server(server, wait=180)
cloud.compute.add_tag_to_server(server, "blue")
assert cloud.compute.get_server(server).tags == ["blue"]
assert "line" in cloud.compute.get_server_console_output(server)["output"]
volume = cloud.create_volume(size=1, name="sdk", wait=True)
cloud.attach_volume(server, volume, wait=True)
cloud.detach_volume(server, volume, wait=True)
cloud.delete_volume(volume.id, wait=True)
copy = cloud.compute.create_server_image(server, "sdk-copy", wait=True, timeout=180)
assert cloud.image.get_image(copy.id).status == "active"
cloud.image.delete_image(copy.id)
assert {action.action for action in cloud.compute.server_actions(server)} >= {"create", "stop", "start"}
cloud.compute.delete_server(server)
cloud.compute.wait_for_delete(server, wait=180)
cloud.compute.delete_keypair("sdk")

uploaded = cloud.create_image("sdk-upload", data=b"\0" * 1048576, disk_format="raw", container_format="bare", wait=True)
assert uploaded.status == "active" and uploaded.size == 1048576
assert cloud.image.download_image(uploaded.id).content == b"\0" * 1048576
cloud.delete_image(uploaded.id, wait=True)

own = cloud.create_network("sdk")
subnet = cloud.create_subnet("sdk", cidr="10.99.0.0/24", subnet_name="sdk")
port = cloud.network.create_port(network_id=own.id, name="sdk")
assert port.fixed_ips[0]["subnet_id"] == subnet.id
cloud.network.delete_port(port)
cloud.delete_network("sdk")
assert cloud.get_compute_limits().max_total_instances > 0
print("all is well")
