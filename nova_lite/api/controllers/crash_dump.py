"""trigger_crash_dump: the interrupt by which a guest's kernel is asked to dump its memory, from 2.17 on."""

from __future__ import annotations

from nova_lite import objects, schemas
from nova_lite.api import validation, wsgi
from nova_lite.api.controllers.operations import announce
from nova_lite.compute import states


class CrashDumpController(wsgi.Controller):
    resource = "crash_dump"
    resource_obj_cls = objects.Instance

    @wsgi.action("trigger_crash_dump", policy="os_compute_api:servers:trigger_crash_dump")
    @wsgi.verb(states.TRIGGER_CRASH_DUMP)
    @wsgi.version(base="2.17")
    @wsgi.response(202, version="2.17")
    @wsgi.expected_errors(404, 409)
    @validation.schema(schemas.crash_dump.trigger_crash_dump)
    def trigger_crash_dump(self, req: wsgi.Request, obj: objects.Instance, params: wsgi.NoParams) -> None:
        """Trigger a crash dump in a server.

        A non-maskable interrupt goes to every virtual CPU. What comes of it is the guest's affair: Linux writes "NMI
        received" to its log, or panics and dumps where ``kernel.unknown_nmi_panic`` and kdump are set up.
        """
        self.compute.trigger_crash_dump(req.context, obj)
        announce(req, self.compute, obj)
