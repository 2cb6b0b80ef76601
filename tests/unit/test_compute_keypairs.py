"""Keypairs: fingerprints as ssh-keygen and openssl give them, made pairs, limits, bad keys."""

from __future__ import annotations

import base64
import datetime
import shutil
import subprocess
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import NameOID

from nova_lite import exceptions
from tests.unit.computing import Computing

OPENSSH = (serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
KEYS = {
    "rsa": rsa.generate_private_key(65537, 2048).public_key().public_bytes(*OPENSSH).decode(),
    "ed25519": ed25519.Ed25519PrivateKey.generate().public_key().public_bytes(*OPENSSH).decode(),
    "ecdsa": ec.generate_private_key(ec.SECP256R1()).public_key().public_bytes(*OPENSSH).decode(),
}


def certificate() -> x509.Certificate:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "user")])
    start = datetime.datetime(2026, 1, 1)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, start, start + datetime.timedelta(days=1))
    return builder.sign(key, hashes.SHA256())


@pytest.mark.parametrize("kind", KEYS)
def test_the_fingerprint_is_the_one_that_ssh_keygen_shows(computing: Computing, tmp_path: Path, kind: str) -> None:
    made = computing.api.create_keypair(computing.me, "u1", "k", public_key=f"{KEYS[kind]} me@home\n")
    assert computing.api.get_keypair(computing.me, "u1", "k") == made
    assert made.private_key is None
    assert len(made.fingerprint.split(":")) == 16
    ssh_keygen = shutil.which("ssh-keygen")
    if ssh_keygen:
        (tmp_path / "key").write_text(made.public_key)
        shown = subprocess.run(
            [ssh_keygen, "-l", "-E", "md5", "-f", tmp_path / "key"], capture_output=True, text=True, check=True
        )
        assert f"MD5:{made.fingerprint} " in shown.stdout


def test_x509_certificates_have_their_sha1(computing: Computing) -> None:
    given = certificate()
    pem = given.public_bytes(serialization.Encoding.PEM).decode()
    made = computing.api.create_keypair(computing.me, "u1", "k", "x509", pem)
    assert made.fingerprint.replace(":", "") == given.fingerprint(hashes.SHA1()).hex()
    assert made.type == "x509"


def test_a_made_pair_fits_together_and_its_private_key_is_not_kept(computing: Computing) -> None:
    made = computing.api.create_keypair(computing.me, "u1", "k")
    assert made.private_key is not None
    private = serialization.load_pem_private_key(made.private_key.encode(), password=None)
    assert made.public_key.startswith(private.public_key().public_bytes(*OPENSSH).decode())
    assert computing.api.get_keypair(computing.me, "u1", "k").private_key is None


@pytest.mark.parametrize(
    ("kind", "key"),
    [
        ("ssh", ""),
        ("ssh", "nonsense"),
        ("ssh", "ssh-rsa"),
        ("ssh", "ssh-rsa !!!!"),
        ("ssh", "ssh-rsa AAAAB3NzaC1yc2E="),
        ("ssh", "ssh-rsa " + KEYS["ed25519"].split()[1]),
        ("ssh", KEYS["rsa"] + "\n" + KEYS["rsa"]),
        ("ssh", KEYS["ed25519"][:-10]),
        ("x509", KEYS["rsa"]),
        ("x509", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
        ("gpg", "x"),
    ],
    ids=lambda value: value[:20],
)
def test_keys_that_cannot_be_read_are_refused(computing: Computing, kind: str, key: str) -> None:
    with pytest.raises(exceptions.Invalid, match="^Keypair data is invalid: "):
        computing.api.create_keypair(computing.me, "u1", "k", kind, key)
    assert computing.api.list_keypairs(computing.me, "u1") == []


def test_each_user_has_names_of_their_own(computing: Computing) -> None:
    api, me = computing.api, computing.me
    for user, name in (("u1", "b"), ("u1", "a"), ("u2", "a"), ("u1", "c")):
        api.create_keypair(me, user, name, public_key=KEYS["ed25519"])
    with pytest.raises(exceptions.Conflict, match="^Key pair 'a' already exists.$"):
        api.create_keypair(me, "u1", "a", public_key=KEYS["rsa"])
    assert [each.name for each in api.list_keypairs(me, "u1")] == ["a", "b", "c"]
    assert [each.name for each in api.list_keypairs(me, "u1", limit=1, marker="a")] == ["b"]
    with pytest.raises(exceptions.Invalid, match="Marker z could not be found"):
        api.list_keypairs(me, "u1", marker="z")
    api.delete_keypair(me, "u1", "a")
    for question in (api.get_keypair, api.delete_keypair):
        with pytest.raises(exceptions.NotFound, match="^Keypair a not found for user u1$"):
            question(me, "u1", "a")
    assert api.get_keypair(me, "u2", "a").user_id == "u2"


def test_keypairs_are_limited_per_user(computing: Computing) -> None:
    computing.conf.set_override("key_pairs", 1, group="quota")
    computing.api.create_keypair(computing.me, "u1", "a", public_key=KEYS["rsa"])
    with pytest.raises(exceptions.OverQuota, match="^Quota exceeded, too many key pairs.$"):
        computing.api.create_keypair(computing.me, "u1", "b", public_key=KEYS["rsa"])
    computing.api.create_keypair(computing.me, "u2", "b", public_key=KEYS["rsa"])


def test_a_server_may_name_its_owners_keypair_only(computing: Computing) -> None:
    computing.api.create_keypair(computing.me, "u1", "mine", public_key=KEYS["rsa"])
    assert computing.create(key_name="mine").key_name == "mine"
    with pytest.raises(exceptions.Invalid, match="Invalid key_name provided"):
        computing.create(context=computing.stranger, key_name="mine")


def test_a_generated_x509_pair_is_a_client_certificate_with_its_key(computing: Computing) -> None:
    user = "u" * 64
    made = computing.api.create_keypair(computing.me, user, "win", "x509")
    public = x509.load_pem_x509_certificate(made.public_key.encode())
    assert made.private_key is not None
    bundle = pkcs12.load_pkcs12(base64.b64decode(made.private_key), None)
    assert bundle.cert is not None and bundle.key is not None
    assert bundle.cert.certificate == public
    assert bundle.key.public_key() == public.public_key()
    names = public.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.OtherName)[0].value.endswith(f"{user}@localhost".encode())
    assert made.fingerprint == ":".join(f"{byte:02x}" for byte in public.fingerprint(hashes.SHA1()))
    assert computing.api.get_keypair(computing.me, user, "win").private_key is None
