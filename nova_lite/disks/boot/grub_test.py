"""GRUB's ``test``: conditions on words, numbers and files (GNU GRUB manual, section "test")."""

from __future__ import annotations

from collections.abc import Callable


def passes(words: list[str], exists: Callable[[str], bool]) -> bool:
    """Whether ``test words`` succeeds, with or without the closing bracket. -o binds less than -a."""
    if words and words[-1] in ("]", "]]"):
        words = words[:-1]
    return any(
        all(_primary(both, exists) for both in _split(either, ("-a", "&&"))) for either in _split(words, ("-o", "||"))
    )


def _split(words: list[str], signs: tuple[str, ...]) -> list[list[str]]:
    parts: list[list[str]] = [[]]
    for word in words:
        if word in signs and parts[-1]:
            parts.append([])
        else:
            parts[-1].append(word)
    return parts


def _primary(words: list[str], exists: Callable[[str], bool]) -> bool:
    negated = False
    while words and words[0] == "!":
        words, negated = words[1:], not negated
    return _plain([word for word in words if word not in ("(", ")")], exists) != negated


def _plain(words: list[str], exists: Callable[[str], bool]) -> bool:
    if not words:
        return False
    if len(words) == 1:
        return words[0] != ""
    if len(words) == 2:
        sign, word = words
        if sign == "-z":
            return word == ""
        if sign == "-n":
            return word != ""
        return sign in ("-e", "-f", "-s", "-d") and exists(word)
    left, sign, right = words[:3]
    if sign in ("=", "=="):
        return left == right
    if sign == "!=":
        return left != right
    compared = _number(left) - _number(right)
    return {
        "-eq": compared == 0,
        "-ne": compared != 0,
        "-lt": compared < 0,
        "-le": compared <= 0,
        "-gt": compared > 0,
        "-ge": compared >= 0,
    }.get(sign, False)


def _number(word: str) -> int:
    digits = word[:18]
    return int(digits) if digits.isascii() and digits.isdigit() else 0
