"""Telling the agent that what is wanted on the host's networks has changed."""

from __future__ import annotations

from nova_lite import exceptions
from nova_lite.compute.node_client import NodeClient, NodeError, NodeUnavailable


def put_in_force(agent: NodeClient, what: str) -> None:
    """Security groups, addresses and floating IPs as the database has them; an agent that does not run reads them when
    it starts. Unavailable when the host cannot.

    :param what: begins the sentence: "The security group is changed".
    """
    try:
        agent.call("Host.refreshNetworks", {})
    except NodeUnavailable:
        return
    except NodeError as error:
        raise exceptions.Unavailable(f"{what}, but not in force yet: {error}") from error
