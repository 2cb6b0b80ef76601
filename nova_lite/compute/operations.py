"""Operations as controllers see them: os-instance-actions is a view on the journal."""

from __future__ import annotations

from datetime import datetime

from nova_lite import exceptions, objects
from nova_lite.context import RequestContext
from nova_lite.db import operations as db_operations
from nova_lite.db.engine import Database


class OperationVerbs:
    """/servers/{id}/os-instance-actions."""

    database: Database

    def list_operations(
        self,
        context: RequestContext,
        instance_uuid: str,
        *,
        limit: int | None = None,
        marker: str | None = None,
        changes_since: datetime | None = None,
        changes_before: datetime | None = None,
    ) -> list[objects.Operation]:
        """A server's operations, newest first, without their events. ``marker`` is a request id; Invalid if unknown."""
        with self.database.read() as connection:
            return db_operations.list_for_instance(
                connection, instance_uuid, limit, marker, changes_since, changes_before
            )

    def get_operation(self, context: RequestContext, instance_uuid: str, request_id: str) -> objects.Operation:
        """One operation of a server with its events. NotFound when there is none of that request id."""
        with self.database.read() as connection:
            operation = db_operations.get_by_request(connection, instance_uuid, request_id)
        if operation is None:
            raise exceptions.NotFound(f"Action {request_id} not found")
        return operation

    def find_operation(self, context: RequestContext, operation_uuid: str) -> objects.Operation:
        """The operation of that uuid, without events; whose server it is about is for the caller to check."""
        with self.database.read() as connection:
            operation = db_operations.get_by_uuid(connection, operation_uuid)
        if operation is None:
            raise exceptions.NotFound(f"Operation {operation_uuid} could not be found.")
        return operation
