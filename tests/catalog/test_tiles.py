"""The published log over HTTP: hash tiles for everybody, entry bundles for supervising offices, nothing beyond."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from catalog.client import load_key
from catalog.identity import keys
from catalog.identity.key_statement import endorsed
from catalog.signatures import Message, sign
from ledger import Instance, LedgerUnavailableError
from ledger.log.note import open_checkpoint
from ledger.log.tiles import Tile, bundles_of, decode_bundle, decode_tile, tiles_of
from tests.conftest import InProcess, Running, add_token, in_process, liandong, serving

SUPERVISOR = "sfj"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def app(demo: Instance) -> AsyncIterator[InProcess]:
    """A demonstration with just over 256 entries, so that it has full tiles."""
    with demo.ledger() as ledger:
        while len(ledger.newest(300)) < 260:
            ledger.append("rules.adopted", {"rules": "invented", "digest": "ab" * 32, "valid_from": "2026-11-23"})
    async with in_process(demo) as running:
        yield running


def supervisor_token(instance: Instance) -> str:
    return add_token(instance, SUPERVISOR, "verifier")


def naive_root(hashes: list[bytes]) -> bytes:
    if len(hashes) == 1:
        return hashes[0]
    k = 1 << ((len(hashes) - 1).bit_length() - 1)
    return hashlib.sha256(b"\1" + naive_root(hashes[:k]) + naive_root(hashes[k:])).digest()


@pytest.mark.anyio
async def test_anybody_can_recompute_the_signed_root_from_the_tiles(app: InProcess) -> None:
    note = (await app.client.get("/log/checkpoint")).content
    head = open_checkpoint(note, app.service.ledger.verifier_key)
    leaves: list[bytes] = []
    for tile in tiles_of(head.size):
        response = await app.client.get(f"/log/tile/{tile.path}")
        assert (response.status_code, response.headers["content-type"]) == (200, "application/octet-stream")
        immutable = "immutable" in response.headers["cache-control"]
        assert immutable is (tile.width == 256) and response.headers["cache-control"].startswith("public")
        if tile.level == 0:
            leaves += decode_tile(response.content, tile)
    assert naive_root(leaves) == head.root


@pytest.mark.anyio
@pytest.mark.parametrize(
    "path", ["0/001", "0/001.p/200", "0/999", "1/000", "1/000.p/2", "2/000.p/1", "0/000.p/256", "9/000"]
)
async def test_what_the_newest_checkpoint_does_not_cover_is_not_there(app: InProcess, path: str) -> None:
    for headers in ({}, app.bearer()):
        response = await app.client.get(f"/log/tile/{path}", headers=headers)
        assert response.status_code == 404
        assert "no-store" in response.headers["cache-control"]


@pytest.mark.anyio
async def test_a_narrower_partial_tile_is_still_given(app: InProcess) -> None:
    whole = (await app.client.get("/log/tile/0/000")).content
    assert (await app.client.get("/log/tile/0/000.p/9")).content == whole[: 9 * 32]
    head = await app.client.head("/log/tile/0/000")
    assert (head.status_code, head.content, head.headers["content-type"]) == (200, b"", "application/octet-stream")


@pytest.mark.anyio
async def test_what_is_public_is_asked_for_again_only_if_it_changed(app: InProcess) -> None:
    paths = {
        "/log/checkpoint": "no-cache",
        "/log/vkey": "no-cache",
        "/log/tile/0/000": "public, max-age=31536000, immutable",
        "/log/tile/0/000.p/9": "public, max-age=300",
    }
    for path, cache in paths.items():
        whole = await app.client.get(path)
        tag = whole.headers["etag"]
        assert (whole.status_code, whole.headers["cache-control"]) == (200, cache)
        for field in (tag, f"W/{tag}", f'"other", {tag}', "*"):
            for method in ("GET", "HEAD"):
                same = await app.client.request(method, path, headers={"if-none-match": field})
                assert (same.status_code, same.content) == (304, b"")
                assert (same.headers["etag"], same.headers["cache-control"]) == (tag, cache)
        for field in ('"other"', tag[:-1], tag.strip('"'), ""):
            again = await app.client.get(path, headers={"if-none-match": field})
            assert (again.status_code, again.content) == (200, whole.content)
        head = await app.client.head(path)
        assert (head.status_code, head.content, head.headers["etag"]) == (200, b"", tag)
        assert head.headers["content-length"] == str(len(whole.content))
    old = (await app.client.get("/log/checkpoint")).headers["etag"]
    app.service.ledger.append("fault.raised", {"what": "test", "observed": "x"})
    grown = await app.client.get("/log/checkpoint", headers={"if-none-match": old})
    assert grown.status_code == 200 and grown.headers["etag"] != old, "a checkpoint that grew is given"


@pytest.mark.anyio
async def test_neither_bundles_nor_receipts_are_kept_by_caches_or_given_conditionally(app: InProcess) -> None:
    supervisor = {"authorization": f"Bearer {supervisor_token(app.service.instance)}"}
    asked = await app.client.get("/directory/resources.json?_size=1", headers=app.bearer())
    receipt = asked.headers["ledger-receipt"]
    for path, headers in (("/log/tile/entries/000", supervisor), (receipt, app.bearer())):
        for method in ("GET", "HEAD"):
            given = await app.client.request(method, path, headers={**headers, "if-none-match": "*"})
            assert (given.status_code, given.headers["cache-control"]) == (200, "private, no-store")
            assert "etag" not in given.headers and (given.content != b"") is (method == "GET")


@pytest.mark.anyio
async def test_a_receipt_is_for_the_agency_of_its_entry_and_for_nobody_else(app: InProcess) -> None:
    asked = await app.client.get("/directory/resources.json?_size=1", headers=app.bearer())
    own = asked.headers["ledger-receipt"]
    supervisor = {"authorization": f"Bearer {supervisor_token(app.service.instance)}"}
    assert (await app.client.get(own)).status_code == 401
    assert (await app.client.get(own, headers=supervisor)).status_code == 403, "its openings are the requester's"
    for other in ("/log/receipt/0", "/log/receipt/3"):  # the log's opening, an agency's registration
        refused = await app.client.get(other, headers=app.bearer())
        assert refused.status_code == 403 and "proof" not in refused.text
    assert (await app.client.get(own, headers=app.bearer())).json()["openings"]


@pytest.mark.anyio
async def test_entries_are_for_supervising_offices_only_and_each_reading_is_recorded(app: InProcess) -> None:
    bearer = {"authorization": f"Bearer {supervisor_token(app.service.instance)}"}
    before = app.entries()
    path = "/log/tile/entries/000"
    assert (await app.client.get(path)).status_code == 401
    refused = await app.client.get(path, headers=app.bearer())
    assert refused.status_code == 403 and b"prev" not in refused.content
    assert app.entries() == before
    given = await app.client.get(path, headers=bearer)
    assert (given.status_code, given.headers["content-type"]) == (200, "application/octet-stream")
    assert given.headers["cache-control"] == "private, no-store"
    bundle = decode_bundle(given.content, Tile(None, 0))
    assert [json.loads(entry)["seq"] for entry in bundle] == list(range(256))
    (read,) = app.entries()[len(before) :]
    assert (read["kind"], read["requester"], read["route"]) == ("audit.read", SUPERVISOR, "entries")
    by_session = await app.client.get(path, headers=await app.sign_in("sfj-1"))
    assert by_session.content == given.content
    assert (await app.client.get("/log/tile/entries/009", headers=bearer)).status_code == 404


@pytest.mark.anyio
async def test_a_supervising_offices_system_reads_entries_by_signature_once(app: InProcess) -> None:
    key = Ed25519PrivateKey.generate()
    register, ledger = app.service.register, app.service.ledger
    endorser = load_key(app.service.instance.path / "demo/sfj-sys.key.pem")
    expires_at = register.timestamp(timedelta(days=30))
    keys.add(register, ledger, endorsed(ledger.origin, SUPERVISOR, "mirror", expires_at, key, endorser))
    message = Message("GET", "http://catalog.test/log/tile/entries/000", {"accept": "*/*"})
    sign(message, b"", key, "a-nonce-of-this-test", created=datetime.now(UTC))
    given = await app.client.get("/log/tile/entries/000", headers=dict(message.headers))
    assert given.status_code == 200 and len(decode_bundle(given.content, Tile(None, 0))) == 256
    assert app.entries()[-1]["auth"] == "signature"
    assert (await app.client.get("/log/tile/entries/000", headers=dict(message.headers))).status_code == 401


@pytest.mark.anyio
async def test_bundles_and_hash_tiles_agree(app: InProcess) -> None:
    bearer = {"authorization": f"Bearer {supervisor_token(app.service.instance)}"}
    for bundle in bundles_of(260):
        entries = decode_bundle((await app.client.get(f"/log/tile/{bundle.path}", headers=bearer)).content, bundle)
        tile = Tile(0, bundle.index, bundle.width)
        hashes = decode_tile((await app.client.get(f"/log/tile/{tile.path}")).content, tile)
        assert [hashlib.sha256(b"\0" + entry).digest() for entry in entries] == hashes


@pytest.mark.anyio
async def test_a_ledger_that_cannot_be_read_is_503_in_the_standard_shape(
    app: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unavailable(*_: object) -> bytes:
        raise LedgerUnavailableError("the disk is gone", "磁盘不可用")

    monkeypatch.setattr("ledger.log.store.Store.tile", unavailable)
    response = await app.client.get("/log/tile/0/000")
    assert (response.status_code, response.json()["error_en"]) == (503, "the disk is gone")


# -- liandong ledger verify https://… ----------


def test_a_service_is_verified_across_a_rotation_and_from_where_the_last_time_ended(
    demo: Instance, tmp_path: Path
) -> None:
    old = str(demo.verifier_key())
    state, hashes = tmp_path / "state.json", tmp_path / "hashes.json"
    token = supervisor_token(demo)
    with serving(demo) as before:
        for file, more in ((state, ("--token", token)), (hashes, ())):
            done = liandong("ledger", "verify", before.url, "--vkey", old, "--state", str(file), *more)
            assert done.returncode == 0, done.stderr
    new = str(demo.rotate_key())
    with serving(demo) as after:
        with_entries = liandong(
            "ledger", "verify", after.url, "--vkey", old, "--token", token, "--state", str(state), "--json"
        )
        found = json.loads(with_entries.stdout)
        assert with_entries.returncode == 0 and found["entries_checked"] and 0 < found["read_from"] < found["size"]
        anonymous = liandong("ledger", "verify", after.url, "--vkey", new, "--state", str(hashes))
        assert anonymous.returncode == 0 and "were not checked again" in anonymous.stdout
        assert liandong("ledger", "verify", after.url, "--vkey", new, "--token", token).returncode == 0
        # Whoever sees hashes alone cannot be led from the old key to the new one.
        lost = liandong("ledger", "verify", after.url, "--vkey", old)
        assert lost.returncode == 1 and "rotated" in lost.stderr and "更换" in lost.stderr
        refused = liandong("ledger", "verify", after.url, "--vkey", new, "--token", token, "--state", str(hashes))
        assert refused.returncode == 2 and "saw hash tiles only" in refused.stderr


def test_a_running_service_is_verified_from_another_machine(running: Running, tmp_path: Path) -> None:
    vkey = str(running.instance.verifier_key())
    anonymous = liandong("ledger", "verify", running.url, "--vkey", vkey)
    assert (anonymous.returncode, anonymous.stderr) == (0, "")
    assert "仅哈希瓦片" in anonymous.stdout and "hash tiles only" in anonymous.stdout
    token = supervisor_token(running.instance)
    whole = liandong("ledger", "verify", running.url + "/log/", "--vkey", vkey, "--token", token, "--json")
    assert whole.returncode == 0, whole.stderr
    assert json.loads(whole.stdout)["entries_checked"] is True
    assert token not in whole.stdout + whole.stderr


def test_a_service_that_cannot_be_verified_says_why(running: Running) -> None:
    vkey = str(running.instance.verifier_key())
    wrong = liandong("ledger", "verify", running.url, "--vkey", vkey, "--token", running.token)
    assert (wrong.returncode, wrong.stdout) == (2, "") and "403" in wrong.stderr and "监督机构" in wrong.stderr
    nobody = liandong("ledger", "verify", "http://127.0.0.1:9", "--vkey", vkey)
    assert nobody.returncode == 2 and "cannot be reached" in nobody.stderr
    elsewhere = liandong("ledger", "verify", running.url + "/nowhere", "--vkey", vkey)
    assert elsewhere.returncode == 2 and "Traceback" not in elsewhere.stderr
    stranger = "shifan.example/liandong+0dd4ba6b+AebGeZ7O4ibjP/vkDhRa7vToTL5Of1t8yCzgyiRUaf+k"
    assert liandong("ledger", "verify", running.url, "--vkey", stranger).returncode == 2
    usage = liandong("ledger", "verify", running.url)
    assert usage.returncode == 2 and "--vkey" in usage.stderr
