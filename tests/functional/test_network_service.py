"""The embedded Network service: networks, ports, security groups, routers and floating IPs, and whose they are."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from nova_lite.api.policy import PolicyEngine
from nova_lite.compute import networks
from nova_lite.embedded.network.app import build_table
from nova_lite.policies import base, network_service
from tests.functional.test_identity import Cloud

MISSING = str(uuid.uuid4())


class Caller:
    """One user of a project. ``call("POST", "networks", 201, name="x")`` gives what the answer has."""

    def __init__(self, cloud: Cloud, token: str, project: str) -> None:
        self._cloud, self._token, self.project = cloud, token, project

    def send(self, method: str, path: str, **request: Any) -> Any:
        return self._cloud(method, f"/network/v2.0/{path}", self._token, **request)

    def call(self, method: str, path: str, status: int = 200, **values: Any) -> Any:
        """``values``: what stands below the resource's name in the body; or in the body itself for a ``/`` path."""
        request: dict[str, Any] = {}
        if method in ("POST", "PUT"):
            name = path.partition("/")[0].removesuffix("s").replace("-", "_")
            request["json"] = values if path.count("/") > 1 else {name: values}
        answer = self.send(method, path, **request)
        assert answer.status_code == status, answer.text
        if not answer.text:
            return None
        document = answer.json
        return next(iter(document.values())) if len(document) < 3 else document

    def fail(self, method: str, path: str, status: int, **values: Any) -> str:
        """The kind of error."""
        error = self.call(method, path, status, **values)
        assert error.keys() == {"type", "message", "detail"} and error["message"]
        return str(error["type"])


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    made = Cloud(tmp_path_factory.mktemp("cloud"))
    yield made
    made.compute.database.close()


@pytest.fixture
def callers(cloud: Cloud) -> Iterator[tuple[Caller, Caller, Caller]]:
    """A member, an administrator and a stranger, with networks that no other test has."""
    cloud.begin()
    found = []
    for name in ("ada", "eve"):
        _, project = cloud.member(name, name)
        found.append(Caller(cloud, cloud.token(name, "pass", name), project))
    yield found[0], Caller(cloud, cloud.admin, "admin"), found[1]
    with cloud.compute.database.write() as connection:
        for table in ("floating_ips", "fixed_ips", "port_security_groups", "ports", "routers", "subnets", "networks"):
            connection.exec_driver_sql(f"DELETE FROM {table}")
        connection.exec_driver_sql("DELETE FROM security_group_rules")
        connection.exec_driver_sql("DELETE FROM security_groups")


def network(caller: Caller, cidr: str | None = "10.9.0.0/24", **values: Any) -> tuple[str, str]:
    """Ids of a network and its subnet."""
    made = caller.call("POST", "networks", 201, name="lab", **values)["id"]
    if cidr is None:
        return made, ""
    return made, caller.call("POST", "subnets", 201, network_id=made, ip_version=4, cidr=cidr)["id"]


def external(admin: Caller, cidr: str = "172.24.4.0/29") -> str:
    return network(admin, cidr, **{"router:external": True})[0]


def test_discovery_needs_no_token(cloud: Cloud) -> None:
    for path in ("/network", "/network/"):
        (version,) = cloud("GET", path).json["versions"]
        assert (version["id"], version["status"]) == ("v2.0", "CURRENT")
    assert version["links"][0]["href"].endswith("/network/v2.0/")
    assert "networks" in {found["collection"] for found in cloud("GET", "/network/v2.0/").json["resources"]}
    assert cloud("GET", "/network/v2.0/networks").status_code == 401


def test_every_rule_is_neutrons_and_asked_for(cloud: Cloud) -> None:
    asked = {operation.policy for operation in build_table(None, PolicyEngine(None).registered)}
    rules = {rule.name: rule.check_str for rule in network_service.list_rules()}
    assert asked == {name for name in rules if ":" not in name}
    assert {name for name, check in rules.items() if check == base.RULE_ANY} == {
        *("get_network", "get_subnet", "get_extension", "get_availability_zone")
    }


def test_a_network_with_its_subnet_from_making_to_deleting(callers: Any) -> None:
    ada, _, _ = callers
    made = ada.call("POST", "networks", 201, name="lab", description="mine", admin_state_up=True)
    assert made["subnets"] == [] and made["tenant_id"] == made["project_id"] == ada.project
    assert not made["shared"] and not made["router:external"] and "provider:network_type" not in made
    subnet = ada.call(
        *("POST", "subnets", 201),
        network_id=made["id"],
        ip_version=4,
        cidr="10.9.0.0/24",
        name="range",
        gateway_ip="10.9.0.254",
        allocation_pools=[{"start": "10.9.0.10", "end": "10.9.0.20"}],
        dns_nameservers=["9.9.9.9"],
    )
    assert (subnet["gateway_ip"], subnet["enable_dhcp"], subnet["name"]) == ("10.9.0.254", True, "range")
    assert ada.call("GET", f"networks/{made['id']}")["subnets"] == [subnet["id"]]
    assert ada.call("GET", f"subnets/{subnet['id']}") == subnet
    changed = ada.call("PUT", f"subnets/{subnet['id']}", name="other", dns_nameservers=[], enable_dhcp=False)
    assert (changed["name"], changed["dns_nameservers"], changed["enable_dhcp"]) == ("other", [], False)
    assert ada.call("PUT", f"networks/{made['id']}", name="renamed")["name"] == "renamed"
    port = ada.call("POST", "ports", 201, network_id=made["id"])
    assert port["fixed_ips"] == [{"subnet_id": subnet["id"], "ip_address": "10.9.0.10"}]
    assert ada.fail("DELETE", f"networks/{made['id']}", 409) == "NetworkInUse"
    assert ada.fail("DELETE", f"subnets/{subnet['id']}", 409) == "SubnetInUse"
    ada.call("DELETE", f"ports/{port['id']}", 204)
    ada.call("DELETE", f"subnets/{subnet['id']}", 204)
    ada.call("DELETE", f"networks/{made['id']}", 204)
    assert ada.fail("GET", f"networks/{made['id']}", 404) == "NetworkNotFound"
    assert ada.fail("DELETE", f"subnets/{subnet['id']}", 404) == "SubnetNotFound"


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"cidr": "10.9.0.128/25"}, "overlaps with another subnet"),
        ({"cidr": "10.9.9.1"}, "cidr"),
        ({"cidr": "8.8.8.0/24"}, "none of the ranges for projects"),
        ({"cidr": "10.0.0.0/8"}, "cidr"),
        ({"cidr": "fd00::/64", "ip_version": 6}, "ip_version"),
        ({"cidr": "10.8.0.0/24", "gateway_ip": None}, "gateway_ip"),
        ({"cidr": "10.8.0.0/24", "gateway_ip": "10.7.0.1"}, "gateway"),
        ({"cidr": "10.8.0.0/24", "allocation_pools": [{"start": "10.8.0.1", "end": "10.8.0.9"}]}, "pool"),
        ({"cidr": "10.8.0.0/24", "host_routes": [{"destination": "0.0.0.0/0", "nexthop": "10.8.0.1"}]}, "host_routes"),
        ({"cidr": "10.8.0.0/24", "no": 1}, "no"),
        ({}, "cidr"),
    ],
)
def test_subnets_that_cannot_be(callers: Any, values: Any, text: str) -> None:
    ada, _, eve = callers
    network(eve)
    made, _ = network(ada, None)
    error = ada.call("POST", "subnets", 400, network_id=made, **values)
    assert text in error["message"]
    assert eve.project not in error["message"] and "lab" not in error["message"]


def test_a_network_has_one_subnet(callers: Any) -> None:
    ada, _, _ = callers
    made, _ = network(ada)
    assert ada.fail("POST", "subnets", 400, network_id=made, ip_version=4, cidr="10.8.0.0/24") == "InvalidInput"


def test_a_range_may_be_told_by_any_address_in_it(callers: Any) -> None:
    ada, _, _ = callers
    _, subnet = network(ada, "10.9.7.3/20")
    assert ada.call("GET", f"subnets/{subnet}")["cidr"] == "10.9.0.0/20"


def test_strangers_see_only_what_is_shared_or_external(callers: Any) -> None:
    ada, admin, eve = callers
    own, subnet = network(ada)
    port = ada.call("POST", "ports", 201, network_id=own)["id"]
    group = ada.call("POST", "security-groups", 201, name="web")
    router = ada.call("POST", "routers", 201, name="r")["id"]
    way_out = external(admin)
    shared, _ = network(admin, "10.8.0.0/24", shared=True)
    floating = ada.call("POST", "floatingips", 201, floating_network_id=way_out)["id"]
    mine = {
        *(f"networks/{own}", f"subnets/{subnet}", f"ports/{port}", f"security-groups/{group['id']}"),
        *(f"security-group-rules/{group['security_group_rules'][0]['id']}", f"routers/{router}"),
        f"floatingips/{floating}",
    }
    for path in mine:
        assert ada.send("GET", path).status_code == admin.send("GET", path).status_code == 200
        for method in ("GET", "PUT", "DELETE"):
            if (method, path.partition("/")[0]) != ("PUT", "security-group-rules"):
                assert eve.send(method, path).status_code == 404, path
    assert {found["id"] for found in eve.call("GET", "networks")} == {way_out, shared}
    assert len(admin.call("GET", "networks")) == 3
    for kind in ("ports", "routers", "floatingips"):
        assert eve.call("GET", kind) == [] and ada.call("GET", kind), kind
    assert ada.fail("PUT", f"networks/{shared}", 403, name="x") == "HTTPForbidden"
    assert ada.send("DELETE", f"networks/{shared}").status_code == 403
    assert eve.fail("POST", "subnets", 404, network_id=own, cidr="10.7.0.0/24") == "NetworkNotFound"
    assert eve.fail("POST", "ports", 404, network_id=own) == "NetworkNotFound"
    assert eve.fail("POST", "networks", 403, name="x", shared=True)
    assert eve.fail("POST", "networks", 403, name="x", **{"router:external": True})
    assert eve.fail("POST", "networks", 403, name="x", project_id=ada.project) == "PolicyNotAuthorized"
    assert admin.call("POST", "networks", 201, name="x", tenant_id=ada.project)["project_id"] == ada.project


def test_readers_change_nothing(cloud: Cloud, callers: Any) -> None:
    ada, _, _ = callers
    made, _ = network(ada)
    user = cloud.make("user", name="reader", password="pass")
    cloud.grant("PUT", ada.project, user, "reader")
    reader = Caller(cloud, cloud.token("reader", "pass", "ada"), ada.project)
    assert len(reader.call("GET", "networks")) == 1
    assert reader.call("GET", "security-groups")[0]["name"] == "default"
    for kind in ("networks", "subnets", "ports", "routers", "floatingips", "security-groups", "security-group-rules"):
        assert reader.send("POST", kind, json={}).status_code == 403, kind
    assert reader.send("DELETE", f"networks/{made}").status_code == 403


def test_ports_with_addresses_macs_and_groups_of_ones_choice(callers: Any) -> None:
    ada, admin, _ = callers
    made, subnet = network(ada)
    group = ada.call("POST", "security-groups", 201, name="web")["id"]
    two = [{"ip_address": "10.9.0.50"}, {"subnet_id": subnet}]
    mac = "fa:16:3e:00:00:01"
    port = ada.call(
        *("POST", "ports", 201), network_id=made, name="p", fixed_ips=two, mac_address=mac, security_groups=[group]
    )
    assert [found["ip_address"] for found in port["fixed_ips"]] == ["10.9.0.2", "10.9.0.50"]
    assert (port["mac_address"], port["security_groups"], port["status"]) == (mac, [group], "DOWN")
    assert "binding:host_id" not in port and "binding:host_id" in admin.call("GET", f"ports/{port['id']}")
    assert ada.fail("POST", "ports", 409, network_id=made, mac_address=mac) == "MacAddressInUse"
    taken = ada.fail("POST", "ports", 409, network_id=made, fixed_ips=two[:1])
    assert taken == "IpAddressAlreadyAllocated"
    for wrong in ("10.8.0.9", "10.9.0.1", "10.9.0.255", "x"):
        assert ada.fail("POST", "ports", 400, network_id=made, fixed_ips=[{"ip_address": wrong}]) == "InvalidInput"
    assert ada.fail("POST", "ports", 404, network_id=made, security_groups=[MISSING]) == "SecurityGroupNotFound"
    assert ada.fail("POST", "ports", 400, network_id=made, device_id=MISSING) == "InvalidInput"
    changed = ada.call("PUT", f"ports/{port['id']}", name="q", fixed_ips=[two[0]], security_groups=[])
    assert (changed["name"], len(changed["fixed_ips"]), changed["security_groups"]) == ("q", 1, [])
    assert ada.call("POST", "ports", 201, network_id=made, fixed_ips=[])["fixed_ips"] == []
    ada.call("DELETE", f"security-groups/{group}", 204)


def test_all_addresses_taken(callers: Any) -> None:
    ada, admin, _ = callers
    made, _ = network(ada, "10.9.0.0/29")
    for _ in range(5):
        ada.call("POST", "ports", 201, network_id=made)
    assert ada.fail("POST", "ports", 409, network_id=made) == "IpAddressGenerationFailure"
    way_out = external(admin)
    for _ in range(5):
        ada.call("POST", "floatingips", 201, floating_network_id=way_out)
    assert ada.fail("POST", "floatingips", 409, floating_network_id=way_out) == "IpAddressGenerationFailure"


def test_security_groups_and_rules(callers: Any) -> None:
    ada, _, _ = callers
    (default,) = ada.call("GET", "security-groups")
    assert default["name"] == "default" and len(default["security_group_rules"]) == 2
    group = ada.call("POST", "security-groups", 201, name="web", description="of servers")
    assert [rule["direction"] for rule in group["security_group_rules"]] == ["egress"]
    wanted = {"security_group_id": group["id"], "direction": "ingress", "ethertype": "IPv4"}
    ssh = wanted | {"protocol": "tcp", "port_range_min": 22, "port_range_max": 22}
    rule = ada.call("POST", "security-group-rules", 201, **ssh, remote_ip_prefix="10.0.0.0/8")
    assert {key: rule[key] for key in ssh} == ssh and rule["remote_ip_prefix"] == "10.0.0.0/8"
    again = ada.fail("POST", "security-group-rules", 409, **ssh, remote_ip_prefix="10.0.0.0/8")
    assert again == "SecurityGroupRuleExists"
    assert ada.call("POST", "security-group-rules", 201, **wanted, protocol=132)["protocol"] == "sctp"
    assert ada.call("POST", "security-group-rules", 201, **wanted, protocol="icmp", port_range_min=8)
    six = ada.call("POST", "security-group-rules", 201, **wanted | {"ethertype": "IPv6"}, remote_ip_prefix="::/0")
    assert six["ethertype"] == "IPv6"
    by_group = ada.call("POST", "security-group-rules", 201, **wanted, remote_group_id=default["id"])
    assert by_group["remote_group_id"] == default["id"]
    for wrong in (
        {"protocol": "x"},
        {"port_range_min": 1},
        {"protocol": "tcp", "port_range_min": 9},
        {"direction": "in"},
    ):
        ada.fail("POST", "security-group-rules", 400, **wanted | wrong)
    unknown = wanted | {"security_group_id": MISSING}
    assert ada.fail("POST", "security-group-rules", 404, **unknown) == "SecurityGroupNotFound"
    assert len(ada.call("GET", f"security-group-rules?security_group_id={group['id']}&direction=ingress")) == 5
    ada.call("DELETE", f"security-group-rules/{rule['id']}", 204)
    assert ada.fail("GET", f"security-group-rules/{rule['id']}", 404) == "SecurityGroupRuleNotFound"
    assert ada.call("PUT", f"security-groups/{group['id']}", name="http")["name"] == "http"
    assert ada.fail("PUT", f"security-groups/{default['id']}", 409, name="x") == "SecurityGroupCannotUpdateDefault"
    assert ada.fail("DELETE", f"security-groups/{default['id']}", 409) == "SecurityGroupCannotRemoveDefault"
    naming = {"security_group_id": default["id"], "direction": "ingress", "remote_group_id": group["id"]}
    ada.call("POST", "security-group-rules", 201, **naming)
    made, _ = network(ada)
    port = ada.call("POST", "ports", 201, network_id=made, security_groups=[group["id"]])["id"]
    assert ada.fail("DELETE", f"security-groups/{group['id']}", 409) == "SecurityGroupInUse"
    ada.call("DELETE", f"ports/{port}", 204)
    ada.call("DELETE", f"security-groups/{group['id']}", 204)
    assert len(ada.call("GET", f"security-groups/{default['id']}")["security_group_rules"]) == 2


def test_routers_and_their_interfaces(callers: Any) -> None:
    ada, admin, eve = callers
    way_out = external(admin)
    made, subnet = network(ada)
    gateway = {"network_id": way_out}
    router = ada.call("POST", "routers", 201, name="r", external_gateway_info=gateway)
    assert router["external_gateway_info"]["network_id"] == way_out
    path = f"routers/{router['id']}"
    added = ada.call("PUT", f"{path}/add_router_interface", subnet_id=subnet)
    (port,) = ada.call("GET", f"ports?device_id={router['id']}")
    assert (port["id"], port["device_owner"]) == (added["port_id"], "network:router_interface")
    assert port["fixed_ips"][0]["ip_address"] == "10.9.0.1"
    assert ada.fail("DELETE", path, 409) == "RouterInUse"
    assert ada.fail("DELETE", f"networks/{made}", 409) == "NetworkInUse"
    assert ada.fail("DELETE", f"ports/{port['id']}", 409) == "ServicePortInUse"
    assert ada.fail("PUT", f"{path}/add_router_interface", 400, subnet_id=subnet) == "InvalidInput"
    assert admin.fail("DELETE", f"networks/{way_out}", 409) == "NetworkInUse"
    other = eve.call("POST", "routers", 201)["id"]
    assert eve.fail("PUT", f"routers/{other}/add_router_interface", 404, subnet_id=subnet) == "SubnetNotFound"
    removed = ada.call("PUT", f"{path}/remove_router_interface", subnet_id=subnet)
    assert removed["port_id"] == port["id"]
    missing = ada.fail("PUT", f"{path}/remove_router_interface", 404, subnet_id=subnet)
    assert missing == "RouterInterfaceNotFoundForSubnet"
    assert ada.call("PUT", path, name="renamed")["external_gateway_info"] is not None
    assert ada.call("PUT", path, external_gateway_info=None)["external_gateway_info"] is None
    assert ada.fail("PUT", path, 400, external_gateway_info={"network_id": made}) == "InvalidInput"
    ada.call("DELETE", path, 204)


def test_floating_ips_lead_to_ports_of_their_project(callers: Any) -> None:
    ada, admin, eve = callers
    way_out = external(admin)
    made, subnet = network(ada)
    port = ada.call("POST", "ports", 201, network_id=made)["id"]
    one = ada.call("POST", "floatingips", 201, floating_network_id=way_out, description="d")
    assert (one["status"], one["port_id"], one["floating_ip_address"]) == ("DOWN", None, "172.24.4.2")
    led = ada.call("PUT", f"floatingips/{one['id']}", port_id=port)
    assert (led["status"], led["fixed_ip_address"]) == ("ACTIVE", "10.9.0.2")
    two = ada.call("POST", "floatingips", 201, floating_network_id=way_out)["id"]
    assert ada.fail("PUT", f"floatingips/{two}", 409, port_id=port) == "FloatingIPPortAlreadyAssociated"
    assert ada.fail("PUT", f"floatingips/{two}", 404, port_id=MISSING) == "PortNotFound"
    assert ada.fail("PUT", f"floatingips/{two}", 400, port_id=port, fixed_ip_address="10.9.0.9") == "InvalidInput"
    of_eve = eve.call("POST", "floatingips", 201, floating_network_id=way_out)["id"]
    assert eve.fail("PUT", f"floatingips/{of_eve}", 404, port_id=port) == "PortNotFound"
    assert ada.fail("POST", "floatingips", 400, floating_network_id=made) == "InvalidInput"
    assert ada.fail("POST", "floatingips", 403, floating_network_id=way_out, floating_ip_address="172.24.4.6")
    chosen = admin.call("POST", "floatingips", 201, floating_network_id=way_out, floating_ip_address="172.24.4.6")
    assert chosen["floating_ip_address"] == "172.24.4.6"
    assert ada.fail("POST", "ports", 400, network_id=way_out) == "InvalidInput"  # servers are not on it
    router = ada.call("POST", "routers", 201, external_gateway_info={"network_id": way_out})["id"]
    ada.call("PUT", f"routers/{router}/add_router_interface", subnet_id=subnet)
    assert ada.call("GET", f"floatingips/{one['id']}")["router_id"] == router
    assert ada.call("PUT", f"floatingips/{one['id']}", port_id=None)["status"] == "DOWN"
    ada.call("PUT", f"floatingips/{one['id']}", port_id=port)
    ada.call("DELETE", f"ports/{port}", 204)  # and the address leads nowhere
    assert ada.call("GET", f"floatingips/{one['id']}")["port_id"] is None
    ada.call("DELETE", f"floatingips/{one['id']}", 204)
    assert ada.fail("GET", f"floatingips/{one['id']}", 404) == "FloatingIPNotFound"
    assert admin.fail("DELETE", f"networks/{way_out}", 409) == "NetworkInUse"


def test_listings_are_filtered_sorted_and_paged(callers: Any) -> None:
    ada, _, _ = callers
    ids = {name: ada.call("POST", "networks", 201, name=name)["id"] for name in ("c", "a", "b")}

    def names(query: str) -> list[str]:
        return [found["name"] for found in ada.call("GET", f"networks?{query}")]

    assert names("sort_key=name&sort_dir=asc") == ["a", "b", "c"]
    assert names("sort_key=name&sort_dir=desc&limit=2") == ["c", "b"]
    assert names(f"sort_key=name&marker={ids['a']}&limit=1") == ["b"]
    assert names(f"sort_key=name&marker={ids['c']}&limit=1&page_reverse=True") == ["b"]
    assert names("name=a&name=c&sort_key=name") == ["a", "c"]
    assert names("router:external=True") == [] and len(names("router:external=false&shared=False")) == 3
    assert names("tags=x") == []
    page = ada.send("GET", "networks?limit=2&sort_key=name").json
    (link,) = page["networks_links"]
    assert link["rel"] == "next" and f"marker={ids['b']}" in link["href"]
    (only,) = ada.call("GET", "networks?name=a&fields=id&fields=name")
    assert only == {"id": ids["a"], "name": "a"}
    assert ada.call("GET", f"networks/{ids['a']}?fields=name") == {"name": "a"}
    for wrong in ("limit=x", f"marker={MISSING}", "sort_key=no", "sort_key=name&sort_dir=up", "sort_dir=asc", "no=1"):
        assert ada.fail("GET", f"networks?{wrong}", 400) == "InvalidInput", wrong
    made, subnet = network(ada)
    ada.call("POST", "ports", 201, network_id=made)
    assert len(ada.call("GET", "ports?fixed_ips=ip_address=10.9.0.2")) == 1
    assert ada.call("GET", f"ports?fixed_ips=ip_address=10.9.0.3&fixed_ips=subnet_id={MISSING}") == []


def test_a_new_server_uses_what_was_made_here(cloud: Cloud, callers: Any) -> None:
    ada, _, _ = callers
    made, _ = network(ada)
    with cloud.compute.database.read() as connection:
        context = type("Context", (), {"project_id": ada.project})()
        (wish,) = networks.wishes(connection, context, [{"uuid": made}], 1)  # type: ignore[arg-type]
        assert wish.network.cidr == "10.9.0.0/24"


def test_there_may_be_only_so_many(cloud: Cloud, callers: Any) -> None:
    ada, _, _ = callers
    cloud.conf.set_override("quota_network", 1, group="network")
    try:
        network(ada, None)
        assert ada.fail("POST", "networks", 409, name="more") == "OverQuota"
    finally:
        cloud.conf.clear_override("quota_network", group="network")


def test_what_clients_ask_about_the_service(callers: Any) -> None:
    ada, admin, eve = callers
    assert {"router", "security-group", "external-net"} <= {one["alias"] for one in ada.call("GET", "extensions")}
    assert ada.call("GET", "extensions/router")["alias"] == "router"
    assert ada.send("GET", "extensions/none").status_code == 404
    assert admin.call("GET", "agents") == [] and ada.send("GET", "agents").status_code == 403
    assert ada.call("GET", "availability_zones")[0]["name"] == "nova"
    assert ada.call("GET", f"quotas/{ada.project}")["floatingip"] == 50
    assert ada.call("GET", f"quotas/{ada.project}/default")["port"] == 500
    network(ada)
    for path in ("details", "details.json"):  # openstacksdk's and python-neutronclient's
        used = admin.call("GET", f"quotas/{ada.project}/{path}")["subnet"]
        assert used == {"limit": 100, "used": 1, "reserved": 0}
    assert eve.send("GET", f"quotas/{ada.project}").status_code == 403
