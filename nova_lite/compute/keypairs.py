"""Keypairs: public keys that users bring, or pairs made for them, with Nova's fingerprints."""

from __future__ import annotations

import base64
import binascii
import hashlib
from datetime import timedelta

import sqlalchemy as sa
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from oslo_config import cfg

from nova_lite import exceptions, objects
from nova_lite.compute import quotas
from nova_lite.context import RequestContext
from nova_lite.db import keypairs as db_keypairs
from nova_lite.db.engine import Database
from nova_lite.db.times import now

_RSA_BITS = 2048
_CERTIFICATE_LIFE = timedelta(days=3650)
_MAX_COMMON_NAME = 64  # RFC 5280, ub-common-name
_MAX_PRINCIPAL = 127  # what the short form of a DER length holds
_UPN = x509.ObjectIdentifier("1.3.6.1.4.1.311.20.2.3")


class KeypairVerbs:
    """/os-keypairs."""

    conf: cfg.ConfigOpts
    database: Database

    def list_keypairs(
        self, context: RequestContext, user_id: str, limit: int | None = None, marker: str | None = None
    ) -> list[objects.Keypair]:
        """A user's keypairs by name. ``marker`` is a name; Invalid when the user has none of it."""
        with self.database.read() as connection:
            return db_keypairs.list_(connection, user_id, limit, marker)

    def get_keypair(self, context: RequestContext, user_id: str, name: str) -> objects.Keypair:
        """NotFound when the user has none of that name."""
        with self.database.read() as connection:
            keypair = db_keypairs.get(connection, user_id, name)
        if keypair is None:
            raise exceptions.KeypairNotFound(name, user_id)
        return keypair

    def create_keypair(
        self,
        context: RequestContext,
        user_id: str,
        name: str,
        type: str = "ssh",
        public_key: str | None = None,
    ) -> objects.Keypair:
        """Store a public key; without one, make a pair and return its ``private_key``, which is kept nowhere.

        Invalid for a key that cannot be read, Conflict for a name that the user has already, OverQuota when there are
        too many.
        """
        private_key = None
        if public_key is None:
            public_key, private_key = _generate_x509(user_id) if type == "x509" else _generate_ssh()
        fingerprint = _fingerprint(type, public_key)
        keypair = objects.Keypair(name, user_id, type, public_key, fingerprint)
        try:
            with self.database.write() as connection:
                self.database.lock(connection, f"keypairs:{user_id}")
                project_id = str(context.project_id)
                limit = quotas.limits_of(connection, self.conf, project_id, user_id)["key_pairs"]
                if 0 <= limit <= db_keypairs.count(connection, user_id):
                    raise exceptions.OverQuota("Quota exceeded, too many key pairs.")
                db_keypairs.insert(connection, keypair)
        except sa.exc.IntegrityError as error:
            raise exceptions.Conflict(f"Key pair '{name}' already exists.") from error
        keypair.private_key = private_key
        return keypair

    def delete_keypair(self, context: RequestContext, user_id: str, name: str) -> None:
        """Servers that were booted with it keep it. NotFound when the user has none of that name."""
        with self.database.write() as connection:
            if not db_keypairs.delete(connection, user_id, name):
                raise exceptions.KeypairNotFound(name, user_id)


def _generate_ssh() -> tuple[str, str]:
    """A new RSA pair: (public key in OpenSSH's form, private key in PEM)."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=_RSA_BITS)
    public = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    return f"{public.decode()} Generated-by-nova-lite", private.decode()


def _generate_x509(user_id: str) -> tuple[str, str]:
    """A client certificate as Nova makes it for WinRM: (certificate in PEM, base64 of a PKCS #12 file).

    Ten years, no password, for client authentication, with the user principal name ``<user>@localhost``
    (nova/crypto.py).
    """
    key = rsa.generate_private_key(public_exponent=65537, key_size=_RSA_BITS)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, user_id[:_MAX_COMMON_NAME])])
    principal = f"{user_id}@localhost".encode()[:_MAX_PRINCIPAL]
    utf8_string = bytes([0x0C, len(principal)]) + principal  # DER: UTF8String, short form
    start = now()
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + _CERTIFICATE_LIFE)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName([x509.OtherName(_UPN, utf8_string)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    bundle = pkcs12.serialize_key_and_certificates(None, key, certificate, None, serialization.NoEncryption())
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    return pem.decode(), base64.b64encode(bundle).decode()


def _fingerprint(type: str, public_key: str) -> str:
    """Colon-separated: MD5 of an ssh key's blob, SHA-1 of an x509 certificate. Invalid when the key cannot be read."""
    digest = {"ssh": _ssh_digest, "x509": _x509_digest}.get(type)
    if digest is None:
        raise exceptions.Invalid(f"Keypair data is invalid: unknown type '{type}'")
    try:
        return ":".join(f"{byte:02x}" for byte in digest(public_key))
    except (ValueError, IndexError, binascii.Error, UnsupportedAlgorithm) as error:
        raise exceptions.Invalid("Keypair data is invalid: failed to generate fingerprint") from error


def _ssh_digest(public_key: str) -> bytes:
    stripped = public_key.strip()
    if "\n" in stripped:
        raise ValueError("an OpenSSH public key is one line")
    kind, blob = stripped.split(None, 2)[:2]
    data = base64.b64decode(blob, validate=True)
    named = int.from_bytes(data[:4], "big")
    if data[4 : 4 + named] != kind.encode() or len(data) <= 4 + named:
        raise ValueError("the key's blob is of another kind than its first word says")
    if kind in ("ssh-rsa", "ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521"):
        serialization.load_ssh_public_key(f"{kind} {blob}".encode())
    return hashlib.md5(data, usedforsecurity=False).digest()


def _x509_digest(public_key: str) -> bytes:
    certificate = x509.load_pem_x509_certificate(public_key.encode())
    return certificate.fingerprint(hashes.SHA1())  # Nova's choice; it identifies, it proves nothing
