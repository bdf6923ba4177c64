"""``liandong check-signature``: shown offline, with the agency's public key, that this agency asked this."""

from __future__ import annotations

import base64
import copy
import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from catalog.algorithms import load_public_key
from catalog.attribution import AttributionError, check_attribution
from catalog.client import load_key
from catalog.errors import UsageError
from ledger import Instance, LedgerError, Receipt
from tests.catalog import rfc9421, signing
from tests.conftest import Running, liandong, serving

PATH = "/directory/resources.json?name__contains=许可&_size=1"
SIGNED_PATH = "/directory/resources.json?name__contains=%E8%AE%B8%E5%8F%AF&_size=1"
BODY = '{"filters": [{"column": "name", "op": "search", "value": "许可"}], "limit": 1}'.encode()


@dataclass
class Site:
    """A demonstration that is served; receipts of a GET and of a POST by each kind of key."""

    running: Running
    keys: dict[str, Path]
    receipts: dict[tuple[str, str], Path]

    @property
    def vkey(self) -> str:
        return str(self.running.instance.verifier_key())


@pytest.fixture(scope="module")
def site(demo_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("attribution")
    shutil.copytree(demo_template, folder / "demo")
    instance = Instance.open(folder / "demo")
    p256 = folder / "p256.pem"
    signing.add_key(instance, ec.generate_private_key(ec.SECP256R1()), p256)
    (folder / "question.json").write_bytes(BODY)
    with serving(instance) as running:
        keys, receipts = {"ed25519": running.key_file, "p256": p256}, {}
        for name, key in keys.items():
            for method, path, more in (
                ("GET", PATH, []),
                ("POST", signing.API_PATH, ["--json", str(folder / "question.json")]),
            ):
                kept = folder / f"{name}-{method}"
                vkey = ["--vkey", str(instance.verifier_key())]
                asked = liandong("query", running.url + path, "--key", str(key), "--receipts", str(kept), *vkey, *more)
                assert asked.returncode == 0, asked.stderr
                (receipts[name, method],) = kept.glob("receipt-*.json")
        yield Site(running, keys, receipts)


@pytest.fixture(params=["ed25519", "p256"])
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def public_pem(site: Site, name: str, folder: Path) -> Path:
    """The agency's public key as it would be handed to an auditor."""
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    file = folder / f"{name}.pub.pem"
    file.write_bytes(load_key(site.keys[name]).public_key().public_bytes(serialization.Encoding.PEM, form))
    return file


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_bare_cryptography_verifies_what_the_receipt_holds(site: Site, name: str, method: str) -> None:
    """Nothing of this project between the file and the public key."""
    receipt = json.loads(site.receipts[name, method].read_text(encoding="utf-8"))
    base = receipt["openings"]["signature_base"]["value"]
    signature = base64.b64decode(receipt["openings"]["signature"]["value"], validate=True)
    public = serialization.load_pem_public_key(public_pem(site, name, site.keys["p256"].parent).read_bytes())
    rfc9421.verify(public, signature, base)  # type: ignore[arg-type]
    lines = base.split("\n")
    path = SIGNED_PATH if method == "GET" else signing.API_PATH
    assert lines[:2] == [f'"@method": {method}', f'"@target-uri": {site.running.url}{path}']
    assert (lines[2] == f'"content-digest": {rfc9421.content_digest(BODY)}') is (method == "POST")
    if method == "POST":
        assert receipt["openings"]["body_sha256"]["value"] == hashlib.sha256(BODY).hexdigest()


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_the_command_says_who_asked_what_and_when(site: Site, name: str, method: str, tmp_path: Path) -> None:
    public = public_pem(site, name, tmp_path)
    result = liandong("check-signature", str(site.receipts[name, method]), "--public-key", str(public))
    assert result.returncode == 0, result.stderr
    keyid = rfc9421.key_id(load_key(site.keys[name]))
    for said in (keyid, f"{method} {site.running.url}", "签名成立", "The signature holds", "未核验是否入账"):
        assert said in result.stdout
    assert ("body digest" in result.stdout) is (method == "POST")
    more = ["--vkey", site.vkey, "--base"]
    result = liandong("check-signature", str(site.receipts[name, method]), "--public-key", str(public), *more)
    assert result.returncode == 0 and "台账收有该条目" in result.stdout and '"@signature-params": (' in result.stdout


def test_the_hex_of_the_ledgers_own_entry_is_a_public_key_too(site: Site, name: str, tmp_path: Path) -> None:
    keyid = rfc9421.key_id(load_key(site.keys[name]))
    with site.running.instance.ledger() as ledger:
        (entry,) = [
            each for each in ledger.newest(10_000, where={"kind": "agency.key_added"}) if each["keyid"] == keyid
        ]
    file = tmp_path / "key.hex"
    file.write_text(entry["public_key"] + "\n")
    assert liandong("check-signature", str(site.receipts[name, "GET"]), "--public-key", str(file)).returncode == 0


def test_the_requests_body_is_kept_beside_the_receipt(site: Site, name: str) -> None:
    kept = site.receipts[name, "POST"]
    beside = kept.with_name(kept.name.replace("receipt", "request"))
    assert beside.read_bytes() == BODY and beside.stat().st_mode & 0o777 == 0o600


# -- refused ----------------------------------------------------------------------------------------------------------


def receipt_of(site: Site, name: str, method: str = "GET") -> dict[str, Any]:
    value: dict[str, Any] = json.loads(site.receipts[name, method].read_text(encoding="utf-8"))
    return value


def check(site: Site, name: str, receipt: dict[str, Any]) -> None:
    check_attribution(Receipt.from_json(receipt), load_key(site.keys[name]).public_key())


def test_another_key_is_refused(site: Site, name: str, tmp_path: Path) -> None:
    other = public_pem(site, "p256" if name == "ed25519" else "ed25519", tmp_path)
    result = liandong("check-signature", str(site.receipts[name, "GET"]), "--public-key", str(other))
    assert result.returncode == 1 and "give that agency's public key" in result.stderr and "错误：" in result.stderr


@pytest.mark.parametrize("part", ["signature", "signature_base", "query"])
def test_an_opening_that_was_changed_or_left_out_is_refused(site: Site, name: str, part: str) -> None:
    changed = receipt_of(site, name)
    changed["openings"][part]["value"] += " "
    with pytest.raises(LedgerError):  # the entry's commitment says otherwise
        check(site, name, changed)
    if part != "query":
        left_out = receipt_of(site, name)
        del left_out["openings"][part]
        with pytest.raises(AttributionError, match="does not open"):
            check(site, name, left_out)


def recommitted(receipt: dict[str, Any], **values: Any) -> dict[str, Any]:
    """What somebody makes who writes entries of his own: other values under commitments that hold."""
    from ledger.log import canonical, commitment

    made = copy.deepcopy(receipt)
    entry = json.loads(made["entry"])
    for field, value in values.items():
        sealed = commitment.seal(field, value, lambda n: bytes(n))
        entry["commit"][field] = sealed.commitment
        made["openings"][field] = {"salt": bytes(32).hex(), "value": value}
    made["entry"] = canonical.encode(entry).decode()
    return made


def test_an_entry_that_the_operator_wrote_himself_is_refused(site: Site, name: str) -> None:
    """The commitments hold; what the agency's key did not sign does not."""
    receipt = receipt_of(site, name, "POST")
    base = receipt["openings"]["signature_base"]["value"]
    forgeries: list[tuple[dict[str, Any], str]] = [
        ({"signature_base": base.replace("POST", "PUT")}, "was not made by"),
        ({"signature_base": base.replace(signing.API_PATH, "/work/penalties.json")}, "was not made by"),
        ({"signature": base64.b64encode(bytes(64)).decode()}, "was not made by"),
        ({"signature": "not base64"}, "was not made by"),
        ({"query": "POST /work/penalties.json"}, "the entry says"),
        ({"query": f"POST {signing.API_PATH}\n{{}}"}, "body whose digest was signed"),
        ({"body_sha256": hashlib.sha256(b"{}").hexdigest()}, "body whose digest was signed"),
    ]
    check(site, name, recommitted(receipt, query=f"POST {signing.API_PATH}\n{BODY.decode()}"))
    for values, why in forgeries:
        with pytest.raises(AttributionError, match=why):
            check(site, name, recommitted(receipt, **values))


def test_a_base_that_is_no_request_of_ours_is_refused(site: Site) -> None:
    key = load_key(site.keys["ed25519"])
    assert isinstance(key, Ed25519PrivateKey)
    keyid = rfc9421.key_id(key)
    receipt = receipt_of(site, "ed25519")
    for base in (
        "anything",
        '"@method": GET\n"@signature-params": ()',
        f'"@method": GET\n"@method": GET\n"@target-uri": x\n"@signature-params": ();created=1;keyid="{keyid}"',
        '"@method": GET\n"@target-uri": x\n"@signature-params": ();created=1;keyid="another"',
        f'"@method": GET\n"@target-uri": x\n"@signature-params": ();keyid="{keyid}"',
    ):
        signature = base64.b64encode(key.sign(base.encode())).decode()
        with pytest.raises(AttributionError, match="not of a request"):
            check(site, "ed25519", recommitted(receipt, signature_base=base, signature=signature))


def test_a_forged_entry_is_in_no_ledger(site: Site, tmp_path: Path) -> None:
    file = tmp_path / "receipt.json"
    receipt = receipt_of(site, "p256")
    file.write_text(json.dumps(recommitted(receipt, query=receipt["openings"]["query"]["value"])))  # with another salt
    command = ["check-signature", str(file), "--public-key", str(public_pem(site, "p256", tmp_path))]
    assert liandong(*command).returncode == 0  # signed it was
    assert liandong(*command, "--vkey", site.vkey).returncode == 1  # but this entry is not in the log


def test_a_receipt_of_a_token_shows_nobodys_signature(site: Site, tmp_path: Path) -> None:
    headers = {"authorization": f"Bearer {site.running.token}"}
    asked = httpx2.get(f"{site.running.url}/directory.json", headers=headers, trust_env=False)
    file = tmp_path / "receipt.json"
    file.write_bytes(
        httpx2.get(site.running.url + asked.headers["ledger-receipt"], headers=headers, trust_env=False).content
    )
    result = liandong("check-signature", str(file), "--public-key", str(public_pem(site, "p256", tmp_path)))
    assert result.returncode == 1 and "not signed (token or session)" in result.stderr


def rsa_pem() -> bytes:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    public = rsa.generate_private_key(65537, 2048).public_key()
    return public.public_bytes(serialization.Encoding.PEM, form)


def p384_pem() -> bytes:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return ec.generate_private_key(ec.SECP384R1()).public_key().public_bytes(serialization.Encoding.PEM, form)


BAD_KEYS: list[Callable[[], bytes]] = [
    rsa_pem,
    p384_pem,
    lambda: b"",
    lambda: b"00",
    lambda: b"zz" * 32,
    lambda: b"04" + b"11" * 64,
    lambda: b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
    lambda: "公钥".encode(),
]


@pytest.mark.parametrize("make", BAD_KEYS)
def test_what_is_no_public_key_of_the_two_kinds_is_a_usage_error(make: Callable[[], bytes]) -> None:
    with pytest.raises(UsageError) as caught:
        load_public_key(make(), "key.pem")
    assert caught.value.zh
