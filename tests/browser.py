"""A headless Chromium for tests and screenshots, driven by the DevTools protocol over its WebSocket."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import connect

PATIENCE = 60.0  # seconds
_PROGRAMS = ("chromium-headless-shell", "chromium", "chrome-headless-shell", "google-chrome")


class Browser:
    """One page. ``with Browser(120, 40) as page: page.open(url)``; skips where there is no Chromium.

    ``complaints``: what the page's console said and what its Content-Security-Policy forbade, as the browser tells it.
    """

    def __init__(self, width: int = 1000, height: int = 600) -> None:
        program = next(filter(None, map(shutil.which, _PROGRAMS)), None)
        if program is None:
            pytest.skip("needs Chromium (Debian: chromium-headless-shell)")
        self._folder = tempfile.TemporaryDirectory(prefix="nova-lite-browser-", ignore_cleanup_errors=True)
        options = ["--headless", "--remote-debugging-port=0", f"--window-size={width},{height}", "--disable-gpu"]
        options += [f"--user-data-dir={self._folder.name}", "--disable-dev-shm-usage", "--no-first-run"]
        if os.geteuid() == 0:
            options.append("--no-sandbox")  # Chromium refuses to run as root with it
        self._errors = open(Path(self._folder.name) / "stderr", "w+")  # noqa: SIM115
        # A session of its own: the program may be a script that starts the browser, and both are to be ended.
        self._process = subprocess.Popen(
            [program, *options, "about:blank"], stderr=self._errors, start_new_session=True
        )
        self.complaints: list[str] = []
        self._numbers = self._loads = 0
        self._closing = contextlib.ExitStack()

    def __enter__(self) -> Browser:
        try:
            self._line = self._closing.enter_context(connect(self._endpoint(), max_size=None, proxy=None))
            self._session: str | None = None
            targets = self.call("Target.getTargets")["targetInfos"]
            page = next(target["targetId"] for target in targets if target["type"] == "page")
            self._session = self.call("Target.attachToTarget", targetId=page, flatten=True)["sessionId"]
            for domain in ("Page", "Runtime", "Log"):
                self.call(f"{domain}.enable")
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def _end(self) -> None:
        self._closing.close()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)  # it has nothing to put in order
        self._process.wait(PATIENCE)
        self._errors.close()
        self._folder.cleanup()

    def _endpoint(self) -> str:
        """Where the browser listens: it writes that into a file."""
        told = Path(self._folder.name) / "DevToolsActivePort"
        deadline = time.monotonic() + PATIENCE
        while not (told.exists() and len(lines := told.read_text().splitlines()) == 2):
            if self._process.poll() is not None or time.monotonic() > deadline:
                self._errors.seek(0)
                raise AssertionError(f"Chromium did not start:\n{self._errors.read()[-2000:]}")
            time.sleep(0.05)
        return f"ws://127.0.0.1:{lines[0]}{lines[1]}"

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """One DevTools method; what the page says meanwhile is collected."""
        self._numbers += 1
        message = {"id": self._numbers, "method": method, "params": params}
        if self._session is not None:
            message["sessionId"] = self._session
        self._line.send(json.dumps(message))
        while (answer := self._receive()).get("id") != self._numbers:
            pass
        assert "error" not in answer, answer["error"]
        return dict(answer["result"])

    def _receive(self) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(self._line.recv(PATIENCE))
        if answer.get("method") == "Page.loadEventFired":
            self._loads += 1
        elif answer.get("method") in ("Log.entryAdded", "Runtime.exceptionThrown", "Runtime.consoleAPICalled"):
            self.complaints.append(json.dumps(answer["params"]))
        return answer

    def open(self, url: str) -> None:
        """Go there, and wait until page, scripts and style sheets are loaded."""
        loads = self._loads
        self.call("Page.navigate", url=url)
        while self._loads == loads:
            self._receive()

    def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression in the page; promises are waited for."""
        found = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def wait_for(self, expression: str, what: str = "") -> None:
        """Until the expression is true in the page."""
        deadline = time.monotonic() + PATIENCE
        while not self.evaluate(expression):
            assert time.monotonic() < deadline, (
                f"waited in vain for {what or expression}; the page says:\n{self.text()}"
            )
            time.sleep(0.05)

    def text(self) -> str:
        return str(self.evaluate("document.body.innerText"))

    def wait_for_text(self, text: str) -> None:
        self.wait_for(f"document.body.innerText.replaceAll('\\u00a0', ' ').includes({json.dumps(text)})", repr(text))

    def type(self, text: str) -> None:
        """Keys, as a person's; a newline is Enter."""
        for character in text:
            if character == "\n":
                keys = {"key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13, "text": "\r"}
            else:
                keys = {"key": character, "text": character}
            self.call("Input.dispatchKeyEvent", type="keyDown", **keys)
            self.call("Input.dispatchKeyEvent", type="keyUp", **{**keys, "text": ""})

    def click(self, selector: str) -> None:
        self.evaluate(f"document.querySelector({json.dumps(selector)}).click()")

    def resize(self, width: int, height: int) -> None:
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def screenshot(self, path: Path) -> None:
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"]))
