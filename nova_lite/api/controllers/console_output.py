"""Console output: what a server has written to its serial console."""

from __future__ import annotations

import re
from typing import Any, TypedDict

from nova_lite import objects, schemas
from nova_lite.api import validation, wsgi

# Nova leaves these out, a relic of XML; tab, line feed and what comes after space stay.
_CONTROL_CHARACTERS = re.compile(r"[\x00-\x08\x0b-\x1f]")
_ALL_LINES = -1


class ConsoleParams(TypedDict, total=False):
    length: int | None


class ConsoleOutputController(wsgi.Controller):
    resource = "console_output"
    resource_obj_cls = objects.Instance

    @wsgi.action("os-getConsoleOutput", v3="get_console_output", policy="os_compute_api:os-console-output")
    @wsgi.version(base="2.1")
    @wsgi.response(200)
    @wsgi.expected_errors(404, 409, 503)
    @validation.schema(schemas.console_output.get_console_output)
    def get_console_output(
        self, req: wsgi.Request, obj: objects.Instance, params: ConsoleParams
    ) -> dict[str, Any]:
        """Show a server's console output.

        The last ``length`` lines, or all that is kept of them: the log is a ring of bounded size. Control
        characters but tabs and line ends are left out. 409 until the server has been given a host.
        """
        length = params.get("length")
        output = self.compute.console_output(req.context, obj, None if length == _ALL_LINES else length)
        return {"output": _CONTROL_CHARACTERS.sub("", output)}
