"""The embedded Image service, under Glance's rule names."""

from __future__ import annotations

from oslo_policy import policy

from nova_lite.policies import base

_IMAGES, _IMAGE = "/image/v2/images", "/image/v2/images/{image_id}"
_MEMBER = base.PROJECT_MEMBER_OR_ADMIN
# What a caller may not see is not found before a rule is asked.
_RULES = {
    "get_images": (base.PROJECT_READER_OR_ADMIN, "List images.", "GET", _IMAGES),
    "get_image": (base.RULE_ANY, "Show an image.", "GET", _IMAGE),
    "add_image": (_MEMBER, "Register an image.", "POST", _IMAGES),
    "modify_image": (_MEMBER, "Change an image.", "PATCH", _IMAGE),
    "delete_image": (_MEMBER, "Delete an image.", "DELETE", _IMAGE),
    "publicize_image": (base.ADMIN, "Show an image to everybody.", "PATCH", _IMAGE),
    "communitize_image": (_MEMBER, "Let everybody use an image who knows of it.", "PATCH", _IMAGE),
    "upload_image": (_MEMBER, "Upload the data of an image.", "PUT", f"{_IMAGE}/file"),
    "download_image": (
        "role:member or rule:context_is_admin", "Download the data of an image.", "GET", f"{_IMAGE}/file"
    ),
    "deactivate": (_MEMBER, "Let nobody use an image.", "POST", f"{_IMAGE}/actions/deactivate"),
    "reactivate": (_MEMBER, "Let an image be used again.", "POST", f"{_IMAGE}/actions/reactivate"),
    "get_members": (base.PROJECT_READER_OR_ADMIN, "List the projects that share an image.", "GET", f"{_IMAGE}/members"),
}  # fmt: skip


def list_rules() -> list[policy.DocumentedRuleDefault]:
    return base.documented(_RULES)
