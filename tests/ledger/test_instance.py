"""Instance folders: made whole or not at all, private where they must be, refused with the cure where not right."""

from __future__ import annotations

import os
import signal
import stat
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger import CATEGORIES, Instance, Settings
from ledger.errors import InstanceError, LedgerError, NoteError, VersionTooNewError
from ledger.instance import LAYOUT_VERSION, check_private, private_pem, write_private
from ledger.log.note import VerifierKey
from ledger.log.verify import verify_file
from tests.ledger.support import KEY, OPENED, ORIGIN, child, random_source

SETTINGS = Settings(ORIGIN, "示范县", "Shifan (invented)", "http://127.0.0.1:8001", True)


@pytest.fixture
def made(tmp_path: Path) -> Instance:
    return Instance.create(tmp_path / "demo", SETTINGS, random_source())


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


# -- creating ----------


def test_what_is_created_is_opened_with_the_same_settings(made: Instance) -> None:
    opened = Instance.open(made.path)
    assert opened.settings == SETTINGS
    assert (
        opened.verifier_key() == made.verifier_key() == VerifierKey.parse((made.path / "log.vkey").read_text().strip())
    )
    assert opened.verifier_key().name == ORIGIN
    assert {opened.database_path(category).name for category in CATEGORIES} == {f"{c}.db" for c in CATEGORIES}
    with opened.ledger() as book:
        book.append("log.opened", OPENED)
    assert verify_file(opened.ledger_path, opened.verifier_key()).size == 1


def test_keys_and_ledger_are_for_the_owner_alone(made: Instance) -> None:
    old = os.umask(0)
    try:
        loose = Instance.create(made.path.with_name("loose"), SETTINGS)
    finally:
        os.umask(old)
    for instance in (made, loose):
        with instance.ledger() as book:
            book.append("log.opened", OPENED)
            assert mode(instance.path / "keys") == 0o700
            private = [*(instance.path / "keys").iterdir(), *instance.path.glob("ledger.db*")]
            assert {path.name: mode(path) for path in private} == dict.fromkeys((p.name for p in private), 0o600)
            assert {"log.pem", "rows.secret", "session.secret", "ledger.db", "ledger.db-wal"} <= {
                p.name for p in private
            }


def test_secrets_differ_and_come_from_the_given_randomness(made: Instance, tmp_path: Path) -> None:
    same = Instance.create(tmp_path / "same", SETTINGS, random_source())
    other = Instance.create(tmp_path / "other", SETTINGS)
    assert made.row_secret() == same.row_secret() != other.row_secret()
    assert len({made.row_secret(), made.session_secret(), other.row_secret(), other.session_secret()}) == 4
    assert len(made.row_secret()) == len(made.session_secret()) == 32
    assert made.verifier_key() == same.verifier_key() != other.verifier_key()


def test_a_folder_with_something_in_it_is_left_as_it_is(made: Instance, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "letter.txt").write_text("x")
    for path, kept in ((tmp_path / "full", {"letter.txt"}), (made.path, {p.name for p in made.path.iterdir()})):
        with pytest.raises(InstanceError, match="not empty"):
            Instance.create(path, SETTINGS)
        assert {p.name for p in path.iterdir()} == kept
    assert Instance.open(made.path).settings == SETTINGS


def test_an_empty_folder_may_be_filled(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert Instance.open(Instance.create(tmp_path / "empty", SETTINGS).path).settings == SETTINGS


def test_a_folder_that_cannot_be_made_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for path in (tmp_path / "file", tmp_path / "file" / "demo", tmp_path / ("x" * 300)):
        with pytest.raises(InstanceError) as caught:
            Instance.create(path, SETTINGS)
        assert caught.value.exit_code == 2


@pytest.mark.parametrize("origin", ["", "a b", "a+b", "a\n", "a\u00a0b", "\ud800"])
def test_an_origin_that_cannot_name_a_log_is_refused_before_anything_is_made(tmp_path: Path, origin: str) -> None:
    with pytest.raises(NoteError):
        Instance.create(tmp_path / "demo", replace(SETTINGS, origin=origin))
    assert not (tmp_path / "demo").exists()


BAD_URLS = [
    "", "127.0.0.1:8001", "ftp://host", "http://", "http://host/", "http://host/a/", "http://host?x", "http://ho st",
    "http://host#x", "http://host\n", "//host", "HTTP://host", "http://Host", "http://user@host", "http://host/a?x",
    "http://host:80", "https://host:443", "https://host:99999", "https://host:0", "https://host/..", "https://host/a//b",
    "https://host/%41", "https://主机", "https://host/a b", "https://-host", "https://host.",
]  # fmt: skip
GOOD_URLS = [
    "http://host", "https://host.example", "http://127.0.0.1:8001", "http://[::1]:8001", "https://host:80",
    "https://host.example/liandong", "https://host.example:8443/gov/liandong-1",
]  # fmt: skip


@pytest.mark.parametrize("url", BAD_URLS)
def test_an_address_out_of_form_is_refused_before_anything_is_made(tmp_path: Path, url: str) -> None:
    with pytest.raises(InstanceError, match="public_url"):
        Instance.create(tmp_path / "demo", replace(SETTINGS, public_url=url))
    assert not (tmp_path / "demo").exists()


@pytest.mark.parametrize("url", GOOD_URLS)
def test_an_address_may_have_a_port_and_a_path(tmp_path: Path, url: str) -> None:
    assert Instance.create(tmp_path / "demo", replace(SETTINGS, public_url=url)).settings.public_url == url


INTERRUPTED = """
import os, sys
from pathlib import Path
from ledger import Instance, Settings
left = int(sys.argv[2])
real = os.open, os.mkdir, os.rename, os.replace
def dying(function):
    def run(*arguments, **options):
        global left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), 9)
        return function(*arguments, **options)
    return run
os.open, os.mkdir, os.rename, os.replace = map(dying, real)
Instance.create(Path(sys.argv[1]), Settings("ledger.example/x", "县", "x", "http://127.0.0.1:8001", True))
"""


def test_an_interrupted_creation_is_no_instance(tmp_path: Path) -> None:
    for step in range(1, 100):
        folder = tmp_path / str(step)
        process = child(INTERRUPTED, folder, step)
        _, err = process.communicate()
        if process.returncode == 0:
            break
        assert process.returncode == -signal.SIGKILL, err
        with pytest.raises(InstanceError, match="not an instance folder"):
            Instance.open(folder)
    assert step > 5
    assert Instance.open(folder).settings.origin == "ledger.example/x"


def test_a_full_disk_while_creating_is_our_error_and_no_instance(tmp_path: Path) -> None:
    script = """
import resource, signal, sys
from pathlib import Path
from ledger import Instance, Settings
from ledger.errors import LedgerError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
for number, limit in enumerate((0, 100, 150, 4096, 20000)):
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    folder = Path(sys.argv[1]) / str(number)
    try:
        Instance.create(folder, Settings("ledger.example/x", "县", "x", "http://127.0.0.1:8001", True))
        raise SystemExit("created")
    except LedgerError as error:
        assert error.en and error.zh
    assert not (folder / "instance.yml").exists()
"""
    process = child(script, tmp_path)
    assert (process.communicate()[1], process.returncode) == ("", 0)


# -- opening ----------


def test_a_missing_folder_says_how_to_make_one(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("x")
    for path in (tmp_path / "none", tmp_path / "empty", tmp_path / "file"):
        with pytest.raises(InstanceError) as caught:
            Instance.open(path)
        assert caught.value.exit_code == 2
        assert "liandong init" in caught.value.en and "liandong init" in caught.value.zh
    assert not (tmp_path / "none").exists()


GOOD = {"layout": LAYOUT_VERSION, **asdict(SETTINGS)}
DAMAGED: dict[str, bytes] = {
    "empty": b"",
    "not YAML": b"layout: [1",
    "a tab": b"layout:\t\t- 1",
    "not UTF-8": b"layout: 1\ncounty_zh: \xff",
    "NUL": b"layout: 1\n\0",
    "a list": b"- 1",
    "a number": b"1",
    "no layout": yaml.safe_dump({key: value for key, value in GOOD.items() if key != "layout"}).encode(),
    "a layout that is text": yaml.safe_dump({**GOOD, "layout": "1"}).encode(),
    "a layout that is true": yaml.safe_dump({**GOOD, "layout": True}).encode(),
    "layout 0": yaml.safe_dump({**GOOD, "layout": 0}).encode(),
    "a layout below 0": yaml.safe_dump({**GOOD, "layout": -1}).encode(),
    "a day that does not exist": b"layout: 1\ncounty_zh: 2026-13-45",
    "an object of Python's": b"layout: !!python/object/apply:os.getcwd []",
    "an empty integer": b"layout: !!int ''",
    "an alias bomb without anchor": b"layout: *x",
    "nested too deep": b"layout: " + b"[" * 2_000,
    **{
        f"no {name}": yaml.safe_dump({k: v for k, v in GOOD.items() if k != name}).encode() for name in asdict(SETTINGS)
    },
    **{f"{name} is a list": yaml.safe_dump({**GOOD, name: ["x"]}).encode() for name in asdict(SETTINGS)},
    **{f"{name} is 1": yaml.safe_dump({**GOOD, name: 1}).encode() for name in asdict(SETTINGS)},
}


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_settings_file_is_named_with_the_cure(made: Instance, name: str) -> None:
    (made.path / "instance.yml").write_bytes(DAMAGED[name])
    with pytest.raises(InstanceError) as caught:
        Instance.open(made.path)
    assert "instance.yml" in caught.value.en and "backup" in caught.value.en and "备份" in caught.value.zh
    assert caught.value.exit_code == 2


@given(st.binary(max_size=80) | st.text(" \n:-!&*[]{}'\"0123456789.eEntd|>%@`#,?layout", max_size=60).map(str.encode))
@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_settings_file_at_all_raises_anything_but_our_errors(made: Instance, content: bytes) -> None:
    (made.path / "instance.yml").write_bytes(content)
    with pytest.raises(LedgerError):
        Instance.open(made.path)


@pytest.mark.parametrize("layout", [2, 99, 10**30])
def test_a_newer_layout_says_so(made: Instance, layout: int) -> None:
    (made.path / "instance.yml").write_text(yaml.safe_dump({**GOOD, "layout": layout, "later": 1}))
    with pytest.raises(VersionTooNewError) as caught:
        Instance.open(made.path)
    assert caught.value.exit_code == 2 and "newer version" in caught.value.en and "新版本" in caught.value.zh


def test_there_are_just_six_databases(made: Instance) -> None:
    for category in ("ledger", "", "../keys", "DIRECTORY"):
        with pytest.raises(InstanceError):
            made.database_path(category)


# -- keys ----------


@pytest.mark.parametrize("bits", [0o644, 0o640, 0o604, 0o660, 0o601])
@pytest.mark.parametrize("name", ["log.pem", "rows.secret", "session.secret"])
def test_a_key_that_others_may_read_is_refused_with_the_cure(made: Instance, name: str, bits: int) -> None:
    path = made.path / "keys" / name
    path.chmod(bits)
    read = {"log.pem": made.verifier_key, "rows.secret": made.row_secret, "session.secret": made.session_secret}[name]
    with pytest.raises(InstanceError) as caught:
        read()
    for sentence in (caught.value.en, caught.value.zh):
        assert f"chmod 600 {path}" in sentence and f"{bits:04o}" in sentence
    path.chmod(0o600)
    read()


def damaged_keys() -> dict[str, bytes]:
    pem = private_pem(KEY)
    p256 = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    locked = KEY.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(b"x")
    )
    public = KEY.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return {
        "empty": b"", "cut": pem[:60], "junk": b"\xff" * 100, "another kind of key": p256,
        "a key with a password": locked, "a public key": public,
    }  # fmt: skip


@pytest.mark.parametrize("name", damaged_keys())
def test_a_damaged_log_key_is_named_and_nothing_is_appended(made: Instance, name: str) -> None:
    (made.path / "keys" / "log.pem").write_bytes(damaged_keys()[name])
    for use in (made.verifier_key, made.ledger):
        with pytest.raises(InstanceError, match=r"log\.pem") as caught:
            use()
        assert caught.value.exit_code == 2


@pytest.mark.parametrize("content", [b"", b"x" * 31, b"x" * 33])
def test_a_cut_secret_is_refused(made: Instance, content: bytes) -> None:
    for name, read in (("rows", made.row_secret), ("session", made.session_secret)):
        (made.path / "keys" / f"{name}.secret").write_bytes(content)
        with pytest.raises(InstanceError, match=f"{len(content)} bytes"):
            read()


def test_a_missing_key_is_named(made: Instance) -> None:
    (made.path / "keys" / "log.pem").unlink()
    with pytest.raises(InstanceError, match=r"log\.pem"):
        made.ledger()


def test_another_folders_key_cannot_go_on_with_the_log(made: Instance) -> None:
    with made.ledger() as book:
        book.append("log.opened", OPENED)
    pem = private_pem(Ed25519PrivateKey.from_private_bytes(b"\7" * 32))
    (made.path / "keys" / "log.pem").write_bytes(pem)
    with made.ledger() as book, pytest.raises(NoteError):
        book.append("log.opened", OPENED)


def test_a_private_file_is_never_overwritten_and_never_open_to_others(tmp_path: Path) -> None:
    path = tmp_path / "key"
    write_private(path, b"one")
    assert mode(path) == 0o600
    check_private(path)
    with pytest.raises(FileExistsError):
        write_private(path, b"two")
    assert path.read_bytes() == b"one"


def test_moving_changes_the_address_and_nothing_else(made: Instance) -> None:
    before: dict[str, Any] = {p.name: p.read_bytes() for p in (made.path / "keys").iterdir()}
    moved = made.move_to("https://ledger.example")
    assert Instance.open(made.path).settings == moved.settings == replace(SETTINGS, public_url="https://ledger.example")
    assert {p.name: p.read_bytes() for p in (made.path / "keys").iterdir()} == before
    for url in BAD_URLS:
        with pytest.raises(InstanceError, match="public_url"):
            moved.move_to(url)
    assert Instance.open(made.path).settings == moved.settings
