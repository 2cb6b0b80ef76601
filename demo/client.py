"""A Compute API client of the standard library: one call, its answer and its time."""

from __future__ import annotations

import http.client
import json
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Call:
    """One request and its answer. ``milliseconds``: from the first byte sent to the last one received."""

    method: str
    path: str
    version: str | None
    caller: str | None
    sent: Any
    status: int
    reason: str
    headers: dict[str, str]
    received: Any
    milliseconds: float


class Client:
    """Calls one service over one kept connection."""

    def __init__(self, url: str, tokens: dict[str, str]) -> None:
        """:param tokens: name of a caller → token."""
        parts = urlsplit(url)
        self._connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=60)
        self._tokens = tokens

    def call(
        self, method: str, path: str, body: Any = None, *, version: str | None = None, caller: str | None = None
    ) -> Call:
        """Send one request; any status is an answer."""
        headers = {"Accept": "application/json"}
        if version is not None:
            headers["OpenStack-API-Version"] = f"compute {version}"
        if caller is not None:
            headers["X-Auth-Token"] = self._tokens[caller]
        data = None
        if body is not None:
            headers["Content-Type"] = "application/json"
            data = json.dumps(body)
        begin = time.perf_counter()
        self._connection.request(method, path, data, headers)
        answer = self._connection.getresponse()
        text = answer.read()
        milliseconds = (time.perf_counter() - begin) * 1000
        return Call(
            method,
            path,
            version,
            caller,
            body,
            answer.status,
            answer.reason,
            {name.lower(): value for name, value in answer.getheaders()},
            json.loads(text) if text else None,
            milliseconds,
        )

    def close(self) -> None:
        self._connection.close()
