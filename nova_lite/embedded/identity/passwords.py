"""Passwords as scrypt hashes (RFC 7914): ``scrypt$<log2 n>$<salt>$<key>`` in base64; 50 ms and 16 MiB for each look."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets

_LOG_N, _R, _P, _LENGTH = 14, 8, 1, 32
# Where there is no such user, a password is compared with this: both answers take the same time.
_NOBODY = f"scrypt${_LOG_N}${base64.b64encode(bytes(16)).decode()}${base64.b64encode(bytes(_LENGTH)).decode()}"


def hashed(password: str) -> str:
    salt = secrets.token_bytes(16)
    key = _derive(password, salt, _LOG_N)
    return f"scrypt${_LOG_N}${base64.b64encode(salt).decode()}${base64.b64encode(key).decode()}"


def matches(password: str, stored: str | None) -> bool:
    """Whether it is the password behind ``stored``; None matches nothing, in the same time."""
    _, log_n, salt, key = (stored or _NOBODY).split("$")
    same = hmac.compare_digest(_derive(password, base64.b64decode(salt), int(log_n)), base64.b64decode(key))
    return same and stored is not None


def _derive(password: str, salt: bytes, log_n: int) -> bytes:
    # surrogatepass: JSON can hold half a surrogate pair, and a password may be anything.
    return hashlib.scrypt(
        password.encode("utf-8", "surrogatepass"), salt=salt, n=1 << log_n, r=_R, p=_P, maxmem=1 << 26, dklen=_LENGTH
    )
