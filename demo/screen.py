"""What the demo shows: headings, requests with answers, documents side by side; colours on a terminal only."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import textwrap
from collections.abc import Sequence
from typing import Any

from demo.client import Call

_JSON_PARTS = re.compile(r'("(?:[^"\\]|\\.)*"?)(\s*:)?|\b(true|false|null|-?\d[\d.eE+-]*)\b')


class Screen:
    """Prints to standard output, as wide as the terminal (120 columns where there is none)."""

    def __init__(self) -> None:
        self.width = max(60, shutil.get_terminal_size((120, 40)).columns)
        self._colours = sys.stdout.isatty() and "NO_COLOR" not in os.environ
        self._step = 0

    def heading(self, text: str) -> None:
        self._step += 1
        title = f"{self._step}  {text} "
        self.line()
        self.line(self._paint("1;36", title + "─" * max(0, self.width - len(title))))

    def note(self, text: str) -> None:
        self.line(self._paint("2", text))

    def line(self, text: str = "") -> None:
        print(text, flush=True)

    def call(self, call: Call, show: Any = ...) -> None:
        """One request and its answer. ``show``: what of the answer to print, instead of all of it."""
        version = f"   OpenStack-API-Version: compute {call.version}" if call.version else ""
        caller = f"   as {call.caller}" if call.caller else ""
        self.line(f"{self._paint('1', f'→ {call.method} {call.path}')}{self._paint('2', version + caller)}")
        if call.sent is not None:
            self.document(call.sent)
        colour = "1;32" if call.status < 400 else "1;31"
        self.line(f"{self._paint(colour, f'← {call.status} {call.reason}')}   {call.milliseconds:.1f} ms")
        received = call.received if show is ... else show
        if received is not None:
            self.document(received)

    def document(self, document: Any) -> None:
        """A JSON document in full, long texts over several lines."""
        for text in layout(document, self.width - 2):
            for part in _wrap(text, self.width - 2):
                self.line("  " + self._paint_json(part))

    def side_by_side(self, titles: Sequence[str], documents: Sequence[Any]) -> None:
        """Documents as columns, long lines cut; one below the other where the terminal is too narrow for that."""
        column = (self.width - 3 * (len(documents) - 1)) // len(documents)
        if column < 30:
            for title, document in zip(titles, documents, strict=True):
                self.line(self._paint("1", title))
                self.document(document)
            return
        texts = [layout(document, column, flat_lists=True) for document in documents]
        self.line(" │ ".join(self._paint("1", _cut(title, column).ljust(column)) for title in titles).rstrip())
        self.line("─┼─".join("─" * column for _ in texts))
        for row in range(max(map(len, texts))):
            cells = [_cut(text[row], column) if row < len(text) else "" for text in texts]
            self.line(" │ ".join(self._paint_json(cell.ljust(column)) for cell in cells).rstrip())

    def _paint(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self._colours and text else text

    def _paint_json(self, text: str) -> str:
        def paint(match: re.Match[str]) -> str:
            string, colon, other = match.groups()
            if string is None:
                return self._paint("35", other)
            return self._paint("34", string) + colon if colon else self._paint("32", string)

        return _JSON_PARTS.sub(paint, text) if self._colours else text


def layout(document: Any, width: int, indent: str = "", after: str = "", flat_lists: bool = False) -> list[str]:
    """Lines of a document: what fits on one line stands on one line, the rest is opened up.

    :param flat_lists: lists stand on one line whether they fit or not.
    """
    flat = f"{indent}{json.dumps(document, ensure_ascii=False)}{after}"
    leaf = not isinstance(document, dict if flat_lists else (dict, list))
    if leaf or not document or len(flat) <= width:
        return [flat]
    opening, closing = "{}" if isinstance(document, dict) else "[]"
    lines = [indent + opening]
    items = list(document.items()) if isinstance(document, dict) else [(None, item) for item in document]
    for number, (name, item) in enumerate(items, start=1):
        label = f"{json.dumps(name)}: " if name is not None else ""
        comma = "," if number < len(items) else ""
        first, *rest = layout(item, width - len(label), indent + "  ", comma, flat_lists)
        lines += [f"{indent}  {label}{first[len(indent) + 2 :]}", *rest]
    return [*lines, indent + closing + after]


def _wrap(text: str, width: int) -> list[str]:
    indent = " " * (len(text) - len(text.lstrip()) + 4)
    return textwrap.wrap(text, width, subsequent_indent=indent, drop_whitespace=True) if len(text) > width else [text]


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"
