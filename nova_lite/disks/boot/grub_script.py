"""GRUB's script language, parsed: words with quotes and variables, commands, if, for, while, functions and blocks.

Follows the GNU GRUB manual, "Writing full configuration files directly" (Shell-like scripting). Nothing is run here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

DEPTH_MAX = 40
TOKENS_MAX = 200_000

_VARIABLE = re.compile(r"\$(?:\{([^{}\n]{0,200})\}|([A-Za-z_][A-Za-z0-9_]*|[0-9]+|[?@#*]))")
_BLANK = " \t\r"
_ENDS = " \t\r\n;|&<>"


class ScriptError(Exception):
    """The script is not one. ``str(error)`` is a sentence with the line's number."""


@dataclass(frozen=True)
class Part:
    """Of a word: text as it stands, or a variable's name; ``quoted`` variables are not split at blanks."""

    text: str
    is_variable: bool
    quoted: bool


Word = tuple[Part, ...]


@dataclass(frozen=True)
class Command:
    """A command with its words, and the block in braces that follows menuentry and its like."""

    words: Sequence[Word]
    block: Script | None = None


@dataclass(frozen=True)
class If:
    branches: Sequence[tuple[Script, Script]]
    otherwise: Script


@dataclass(frozen=True)
class For:
    name: str
    words: Sequence[Word]
    body: Script


@dataclass(frozen=True)
class While:
    condition: Script
    body: Script
    until: bool


@dataclass(frozen=True)
class Function:
    name: str
    body: Script


Statement = Command | If | For | While | Function
Script = Sequence[Statement]


@dataclass(frozen=True)
class _Token:
    word: Word | None  # None: ``sign``
    sign: str
    line: int

    @property
    def bare(self) -> str:
        """The text of a word that has neither quotes nor variables; "" for any other."""
        if self.word is not None and len(self.word) == 1:
            (part,) = self.word
            return "" if part.is_variable or part.quoted else part.text
        return ""


def parse(text: str) -> Script:
    """Raises ScriptError."""
    parser = _Parser(_tokens(text.replace("\0", "")))
    script = parser.script(frozenset(), 0)
    parser.expect_end()
    return script


def _tokens(text: str) -> list[_Token]:
    found: list[_Token] = []
    at, line, length = 0, 1, len(text)
    while at < length:
        if len(found) > TOKENS_MAX:
            raise ScriptError(f"Line {line}: the script is too long.")
        character = text[at]
        if character in _BLANK:
            at += 1
        elif text.startswith("\\\n", at):
            at, line = at + 2, line + 1
        elif character == "\n" or character in ";|&<>":
            found.append(_Token(None, "\n" if character == "\n" else ";", line))
            line += character == "\n"
            at += 1
        elif character == "#":
            end = text.find("\n", at)
            at = length if end < 0 else end
        elif character in "{}" and (at + 1 == length or text[at + 1] in _ENDS):
            found.append(_Token(None, character, line))
            at += 1
        else:
            word, end = _word(text, at, line)
            line += text.count("\n", at, end)
            at = end
            found.append(_Token(word, "", line))
    return found


def _word(text: str, at: int, line: int) -> tuple[Word, int]:
    parts: list[Part] = []
    plain: list[str] = []
    quoted_text = False  # '' and "" are words, though empty

    def flush() -> None:
        if plain:
            parts.append(Part("".join(plain), False, quoted_text))
            plain.clear()

    length = len(text)
    in_quotes = False
    while at < length:
        character = text[at]
        if character == "'" and not in_quotes:
            end = text.find("'", at + 1)
            if end < 0:
                raise ScriptError(f"Line {line}: a quote is not closed.")
            plain.append(text[at + 1 : end])
            quoted_text, at = True, end + 1
        elif character == '"':
            in_quotes, quoted_text, at = not in_quotes, True, at + 1
        elif character == "\\" and at + 1 < length:
            follower = text[at + 1]
            if follower != "\n":
                plain.append(follower if not in_quotes or follower in '$"\\' else "\\" + follower)
                quoted_text = True
            at += 2
        elif character == "$" and (match := _VARIABLE.match(text, at)):
            flush()
            name = match[1] if match[1] is not None else match[2]
            parts.append(Part(name, True, in_quotes))
            at = match.end()
        elif not in_quotes and character in _ENDS:
            break
        else:
            plain.append(character)
            at += 1
    if in_quotes:
        raise ScriptError(f"Line {line}: a quote is not closed.")
    flush()
    if not parts or (quoted_text and all(part.is_variable and not part.quoted for part in parts)):
        parts.append(Part("", False, True))
    return tuple(parts), at


class _Parser:
    def __init__(self, tokens: list[_Token]) -> None:
        self._tokens, self._at = tokens, 0

    def _peek(self) -> _Token | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def _next(self) -> _Token:
        token = self._peek()
        if token is None:
            raise ScriptError("The script ends in the middle of something.")
        self._at += 1
        return token

    def expect_end(self) -> None:
        if (token := self._peek()) is not None:
            raise ScriptError(f"Line {token.line}: {token.bare or token.sign!r} has no beginning.")

    def _skip_ends(self) -> None:
        while (token := self._peek()) is not None and token.sign in ("\n", ";"):
            self._at += 1

    def script(self, ends: frozenset[str], depth: int) -> Script:
        """Statements up to, not with, a bare word or sign in ``ends`` or the end of all."""
        if depth > DEPTH_MAX:
            raise ScriptError(f"More than {DEPTH_MAX} blocks stand one in another.")
        found: list[Statement] = []
        while True:
            self._skip_ends()
            token = self._peek()
            if token is None or (token.bare or token.sign) in ends or token.sign == "}":
                return found
            found.append(self._statement(depth + 1))

    def _until(self, ends: frozenset[str], depth: int) -> tuple[Script, str]:
        body = self.script(ends, depth)
        token = self._next()
        end = token.bare or token.sign
        if end not in ends:
            raise ScriptError(f"Line {token.line}: one of {', '.join(sorted(ends))} should stand here.")
        return body, end

    def _statement(self, depth: int) -> Statement:
        token = self._next()
        if token.word is None:
            raise ScriptError(f"Line {token.line}: {token.sign!r} has no command before it.")
        if token.bare == "if":
            return self._if(depth)
        if token.bare in ("while", "until"):
            condition, _ = self._until(frozenset({"do"}), depth)
            body, _ = self._until(frozenset({"done"}), depth)
            return While(condition, body, token.bare == "until")
        if token.bare == "for":
            name = self._next().bare
            if self._next().bare != "in":
                raise ScriptError(f"Line {token.line}: 'for' without 'in'.")
            words = self._words()
            self._skip_ends()
            if self._next().bare != "do":
                raise ScriptError(f"Line {token.line}: 'for' without 'do'.")
            body, _ = self._until(frozenset({"done"}), depth)
            return For(name, words, body)
        if token.bare == "function":
            name = self._next().bare
            return Function(name, self._block(depth))
        words = [token.word, *self._words()]
        following = self._peek()
        block = self._block(depth) if following is not None and following.sign == "{" else None
        return Command(words, block)

    def _words(self) -> list[Word]:
        words = []
        while (token := self._peek()) is not None and token.word is not None:
            words.append(token.word)
            self._at += 1
        return words

    def _block(self, depth: int) -> Script:
        self._skip_ends()
        opening = self._next()
        if opening.sign != "{":
            raise ScriptError(f"Line {opening.line}: a block in braces should stand here.")
        body, _ = self._until(frozenset({"}"}), depth)
        return body

    def _if(self, depth: int) -> If:
        branches, otherwise = [], ()
        end = "elif"
        while end == "elif":
            condition, _ = self._until(frozenset({"then"}), depth)
            body, end = self._until(frozenset({"elif", "else", "fi"}), depth)
            branches.append((condition, body))
        rest: Script = otherwise
        if end == "else":
            rest, _ = self._until(frozenset({"fi"}), depth)
        return If(branches, rest)
