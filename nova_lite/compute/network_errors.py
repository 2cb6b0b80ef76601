"""What the Network service answers with, under the names and in the words that Neutron's clients know."""

from __future__ import annotations

from nova_lite.exceptions import Conflict, Forbidden, Invalid, NotFound


class NetworkNotFound(NotFound):
    def __init__(self, identifier: str) -> None:
        super().__init__(f"Network {identifier[:64]} could not be found.")


class SubnetNotFound(NotFound):
    def __init__(self, identifier: str) -> None:
        super().__init__(f"Subnet {identifier[:64]} could not be found.")


class PortNotFound(NotFound):
    def __init__(self, identifier: str) -> None:
        super().__init__(f"Port {identifier[:64]} could not be found.")


class RouterNotFound(NotFound):
    def __init__(self, identifier: str) -> None:
        super().__init__(f"Router {identifier[:64]} could not be found")


class RouterInterfaceNotFoundForSubnet(NotFound):
    def __init__(self, router_id: str, subnet_id: str) -> None:
        super().__init__(f"Router {router_id} has no interface on subnet {subnet_id[:64]}")


class FloatingIPNotFound(NotFound):
    def __init__(self, identifier: str) -> None:
        super().__init__(f"Floating IP {identifier[:64]} could not be found")


class SecurityGroupNotFound(NotFound):
    def __init__(self, identifier: str) -> None:
        super().__init__(f"Security group {identifier[:64]} does not exist")


class SecurityGroupRuleNotFound(NotFound):
    def __init__(self, identifier: str) -> None:
        super().__init__(f"Security group rule {identifier[:64]} does not exist")


class InvalidInput(Invalid):
    def __init__(self, message: str) -> None:
        super().__init__(f"Invalid input for operation: {message}.")


class NetworkInUse(Conflict):
    def __init__(self, network_id: str) -> None:
        super().__init__(
            f"Unable to complete operation on network {network_id}. "
            "There are one or more ports still in use on the network."
        )


class SubnetInUse(Conflict):
    def __init__(self, subnet_id: str) -> None:
        super().__init__(
            f"Unable to complete operation on subnet {subnet_id}: "
            "One or more ports have an IP allocation from this subnet."
        )


class PortInUse(Conflict):
    def __init__(self, port_id: str, network_id: str, device_id: str) -> None:
        super().__init__(
            f"Unable to complete operation on port {port_id} for network {network_id}. "
            f"Port already has an attached device {device_id}."
        )


class ServicePortInUse(Conflict):
    def __init__(self, port_id: str, owner: str) -> None:
        super().__init__(f"Port {port_id} cannot be deleted directly via the port API: has device owner {owner}.")


class MacAddressInUse(Conflict):
    def __init__(self, network_id: str, mac: str) -> None:
        super().__init__(f"Unable to complete operation for network {network_id}. The mac address {mac} is in use.")


class IpAddressAlreadyAllocated(Conflict):
    def __init__(self, address: str, subnet_id: str) -> None:
        super().__init__(f"IP address {address} already allocated in subnet {subnet_id}")


class IpAddressGenerationFailure(Conflict):
    def __init__(self, network_id: str) -> None:
        super().__init__(f"No more IP addresses available on network {network_id}.")


class RouterInUse(Conflict):
    def __init__(self, router_id: str) -> None:
        super().__init__(f"Router {router_id} still has ports")


class FloatingIPPortAlreadyAssociated(Conflict):
    def __init__(self, address: str, identifier: str, port_id: str, fixed_ip: str, network_id: str) -> None:
        super().__init__(
            f"Cannot associate floating IP {address} ({identifier}) with port {port_id} using fixed IP {fixed_ip}, "
            f"as that fixed IP already has a floating IP on external network {network_id}."
        )


class SecurityGroupInUse(Conflict):
    def __init__(self, group_id: str) -> None:
        super().__init__(f"Security Group {group_id} in use.")


class SecurityGroupCannotRemoveDefault(Conflict):
    default = "Insufficient rights for removing default security group."


class SecurityGroupCannotUpdateDefault(Conflict):
    default = "Updating default security group not allowed."


class SecurityGroupRuleExists(Conflict):
    def __init__(self, rule_id: str) -> None:
        super().__init__(f"Security group rule already exists. Rule id is {rule_id}.")


class OverQuota(Conflict):
    def __init__(self, resource: str) -> None:
        super().__init__(f"Quota exceeded for resources: ['{resource}'].")


class PolicyNotAuthorized(Forbidden):
    def __init__(self, rule: str) -> None:
        super().__init__(f"{rule} is disallowed by policy")
