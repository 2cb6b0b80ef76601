"""What business code raises: one base class per kind of failure, no knowledge of HTTP.

``nova_lite.api.errors`` turns each kind into a status code and Nova's error form.
A message is written for the user of the API; it must not leak host paths or another project's data.
"""

from __future__ import annotations


class NovaLiteError(Exception):
    """Base of every expected failure. ``str(error)`` is the sentence a user reads."""

    default = "The request failed."

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or self.default)


class Invalid(NovaLiteError):
    """The input is well-formed but cannot be used (400)."""

    default = "The input is invalid."


class Unauthorized(NovaLiteError):
    """Who the caller is was not shown (401); never says what of it was wrong."""

    default = "The request you have made requires authentication."


class NotFound(NovaLiteError):
    """Nothing of that name or id exists for this caller (404)."""

    default = "The resource could not be found."


class Conflict(NovaLiteError):
    """The object's present state does not allow this (409)."""

    default = "The resource is in a state that does not allow this."


class Forbidden(NovaLiteError):
    """The caller may not do this, whatever the state (403)."""

    default = "You are not allowed to do this."


class OverQuota(Forbidden):
    """A quota would be exceeded (403, as Nova answers)."""

    default = "Quota exceeded."


class Unavailable(NovaLiteError):
    """A part of the service does not answer at the moment (503)."""

    default = "The service is temporarily unavailable."


class NotSupported(NovaLiteError):
    """Nova has it, the hypervisor of this service has not (501)."""

    default = "The requested functionality is not supported."


class Gone(NovaLiteError):
    """It was there when the request came, and no longer is (410)."""

    default = "The resource is no longer there."


class TooLarge(NovaLiteError):
    """More than is taken, or more than there is room for (413)."""

    default = "The request is larger than allowed."


class UnsupportedMedia(NovaLiteError):
    """What was sent is not of the kind that it is said to be (415)."""

    default = "The data is not what it is said to be."


class RangeNotSatisfiable(NovaLiteError):
    """The part asked for does not exist (416)."""

    default = "The requested range cannot be served."


class InstanceNotFound(NotFound):
    def __init__(self, instance_id: str) -> None:
        super().__init__(f"Instance {instance_id} could not be found.")


class FlavorNotFound(NotFound):
    def __init__(self, flavor_id: str) -> None:
        super().__init__(f"Flavor {flavor_id} could not be found.")


class ImageNotFound(NotFound):
    def __init__(self, image_id: str) -> None:
        super().__init__(f"Image {image_id} could not be found.")


class ServerGroupNotFound(NotFound):
    def __init__(self, group_id: str) -> None:
        super().__init__(f"Instance group {group_id} could not be found.")


class VolumeNotFound(NotFound):
    def __init__(self, volume_id: str) -> None:
        super().__init__(f"Volume {volume_id} could not be found.")


class KeypairNotFound(NotFound):
    def __init__(self, name: str, user_id: str) -> None:
        super().__init__(f"Keypair {name} not found for user {user_id}")


class InstanceIsLocked(Conflict):
    def __init__(self, instance_id: str) -> None:
        super().__init__(f"Instance {instance_id} is locked")


class InstanceInvalidState(Conflict):
    """An action that the state table does not allow, in Nova's words."""

    def __init__(self, instance_id: str, attribute: str, state: str | None, action: str) -> None:
        message = f"Cannot '{action}' instance {instance_id} while it is in {attribute} {state}"
        if state is None:
            message = f"Instance {instance_id} is in an invalid state for '{action}'"
        super().__init__(message)
        self.attribute, self.state, self.action = attribute, state, action
