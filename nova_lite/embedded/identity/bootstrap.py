"""What a new cloud begins with: the roles that Keystone has, one project and its administrator."""

from __future__ import annotations

from nova_lite.db import identity as db_identity
from nova_lite.db.engine import Database
from nova_lite.db.times import now
from nova_lite.embedded.identity import passwords
from nova_lite.embedded.identity.records import Project, Role, User

ROLES = ("admin", "manager", "member", "reader", "service")


def bootstrap(database: Database, ids: dict[str, str], password: str) -> bool:
    """Make them; False when there are users already.

    :param ids: of ``project``, ``user`` and each role.
    """
    with database.write() as connection:
        database.lock(connection, "identity")
        if db_identity.list_(connection, User, {}):
            return False
        for name in ROLES:
            db_identity.insert(connection, Role(ids[name], name))
        db_identity.insert(connection, Project(ids["project"], "admin", "The administrator's project"))
        admin = User(ids["user"], "admin", passwords.hashed(password), default_project_id=ids["project"])
        admin.tokens_valid_after = now()
        db_identity.insert(connection, admin)
        db_identity.assign(connection, ids["user"], ids["project"], ids["admin"])
    return True
