"""The token file: hashes only, followed as it changes, never half read."""

from __future__ import annotations

import hashlib
import logging
import os
import stat
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml

from nova_lite import exceptions
from nova_lite.api.auth.tokens import TokenFile, TokenFileError

PROJECT = "6f70656e737461636b20706172747921"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tokens.yaml"


def create(file: TokenFile, **changes: object) -> str:
    arguments: dict = {"user_id": "alice", "project_id": PROJECT, "roles": ["member"], **changes}
    return file.create(**arguments)[0]


def edit(path: Path, **changes: object) -> None:
    document = yaml.safe_load(path.read_text())
    document["tokens"][0].update(changes)
    path.write_text(yaml.safe_dump(document))


def test_a_created_token_is_found_with_its_owner(path: Path) -> None:
    token = create(TokenFile(path), user_name="Alice", project_name="demo", roles=["reader", "member"])
    record = TokenFile(path).lookup(token)
    assert record is not None
    assert (record.user_id, record.user_name) == ("alice", "Alice")
    assert (record.project_id, record.project_name) == (PROJECT, "demo")
    assert record.roles == ("reader", "member")


def test_only_the_hash_is_on_disk_and_only_the_owner_may_read_it(path: Path) -> None:
    token = create(TokenFile(path))
    text = path.read_text()
    assert token.rsplit("_", 1)[1] not in text
    assert hashlib.sha256(token.encode()).hexdigest() in text
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert os.listdir(path.parent) == [path.name]


@pytest.mark.parametrize(
    "wrong", ["", "admin", "nlt_", "nlt_0123456789ab_" + "x" * 43, "nlt_" + "0" * 99_999]
)
def test_an_unknown_token_is_nobody(path: Path, wrong: str) -> None:
    file = TokenFile(path)
    create(file)
    assert file.lookup(wrong) is None


def test_the_right_id_with_another_secret_is_nobody(path: Path) -> None:
    file = TokenFile(path)
    token = create(file)
    assert file.lookup(token[:-1] + ("A" if token[-1] != "A" else "B")) is None
    assert file.lookup(token + "\n") is None


def test_a_token_made_by_another_process_is_known_at_once(path: Path) -> None:
    reader = TokenFile(path)
    assert reader.lookup(create(TokenFile(path))) is not None
    assert reader.lookup(create(TokenFile(path))) is not None


def test_a_revoked_token_is_refused_after_the_next_look(path: Path) -> None:
    reader = TokenFile(path, check_interval=0)
    token = create(TokenFile(path))
    assert reader.lookup(token) is not None
    TokenFile(path).revoke(TokenFile(path).list()[0].id)
    assert reader.lookup(token) is None


def test_revoking_an_unknown_id_names_it(path: Path) -> None:
    with pytest.raises(exceptions.NotFound, match="'feed'"):
        TokenFile(path).revoke("feed")


def test_an_expired_token_is_refused_but_listed(path: Path) -> None:
    file = TokenFile(path)
    token = create(file, expires_at=datetime.now(UTC) - timedelta(seconds=1))
    assert file.lookup(token) is None
    assert [record.expired() for record in file.list()] == [True]


def test_a_broken_file_is_refused_as_a_whole_and_the_last_good_one_stays(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = TokenFile(path, check_interval=0)
    token = create(file)
    assert file.lookup(token) is not None
    other = create(TokenFile(path))
    edit(path, roles="admin")
    with caplog.at_level(logging.ERROR):
        assert file.lookup(token) is not None
        assert file.lookup(other) is None
        assert file.lookup(other) is None
    assert len(caplog.records) == 1
    assert "token 1: roles must be a list" in caplog.text


def test_a_removed_file_lets_nobody_in(path: Path) -> None:
    file = TokenFile(path, check_interval=0)
    token = create(file)
    assert file.lookup(token) is not None
    path.unlink()
    assert file.lookup(token) is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"project_id": "../../etc"}, "token 1: project_id must be 1 to 64"),
        ({"project_id": None}, "token 1: project_id"),
        ({"roles": ["a b"]}, "token 1: roles"),
        ({"hash": "sha256:12"}, "token 1: hash"),
        ({"id": 7}, "token 1: id"),
        ({"user_id": "a\nb"}, "token 1: user_id"),
        ({"expires_at": "soon"}, "token 1: expires_at must be a time with a zone"),
        ({"expires_at": "2030-01-01T00:00:00"}, "token 1: expires_at must be a time with a zone"),
        ({"created_at": None}, "token 1: created_at is missing"),
        ({"description": ["x"]}, "token 1: description"),
        ({"is_admin": True}, "token 1: unknown field 'is_admin'"),
    ],
)
def test_a_bad_entry_is_named_with_its_field(path: Path, changes: dict, message: str) -> None:
    create(TokenFile(path))
    edit(path, **changes)
    with pytest.raises(TokenFileError, match=message):
        TokenFile(path).list()


@pytest.mark.parametrize("text", ["", "[]", "tokens: 1", "tokens: [1]", "a: {b", "tokens: []\nb: 1", "\x00"])
def test_a_file_of_another_form_is_refused(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(TokenFileError, match=str(path)):
        TokenFile(path).list()


def test_a_file_that_others_may_write_is_refused(path: Path) -> None:
    create(TokenFile(path))
    path.chmod(0o666)
    with pytest.raises(TokenFileError, match="chmod 600"):
        TokenFile(path).list()


def test_a_broken_file_is_never_overwritten(path: Path) -> None:
    path.write_text("tokens: oops\n")
    path.chmod(0o600)
    with pytest.raises(TokenFileError):
        create(TokenFile(path))
    assert path.read_text() == "tokens: oops\n"


def test_times_written_by_hand_as_yaml_times_are_read(path: Path) -> None:
    file = TokenFile(path)
    token = create(file)
    edit(path, expires_at=datetime(2999, 1, 1, tzinfo=UTC))
    record = TokenFile(path).lookup(token)
    assert record is not None and record.expires_at == datetime(2999, 1, 1, tzinfo=UTC)


def test_concurrent_creates_lose_nothing(path: Path) -> None:
    threads = [threading.Thread(target=create, args=(TokenFile(path),)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(TokenFile(path).list()) == 8
