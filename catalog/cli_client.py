"""``liandong query`` and ``liandong check-signature``: what an agency and an auditor run, far from the server."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from catalog import client
from catalog.algorithms import load_public_key
from catalog.attribution import Shown, check_attribution
from catalog.errors import UsageError
from catalog.purpose import CODES, Purpose
from ledger.cli import read_receipt
from ledger.cli_common import bilingual_errors, parse_vkey


@click.command()
@click.argument("url")
@click.option(
    "--key",
    "key_file",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    envvar="LIANDONG_KEY",
    help="The system's private key (Ed25519 or P-256), PEM, mode 0600 (or LIANDONG_KEY). 本系统的私钥文件。",
)
@click.option(
    "--json",
    "json_file",
    metavar="FILE",
    help="Send this file (- for standard input) by POST, as it is. 以 POST 发送该文件的原字节，- 表示标准输入。",
)
@click.option(
    "--purpose", type=click.Choice(list(CODES)), help="Why a GET asks; a POST says it in its body. 查询事由代码。"
)
@click.option(
    "--reference", default="", help="The number that the purpose refers to: of the case, the task … 案号等编号。"
)
@click.option("--words", default="", help="What it is for, in a few words. 用途说明。")
@click.option(
    "--participants",
    default="",
    help="Agencies that act together, the lead first, with spaces. 参与单位，牵头单位在前。",
)
@click.option(
    "--idempotency-key",
    default="",
    help="For a call that writes: repeated with the same key, it is done once. 写入类调用的幂等键，重发不重复办理。",
)
@click.option(
    "--receipts",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("receipts"),
    show_default=True,
    help="Folder in which receipts are kept. 保存回执的目录。",
)
@click.option("--vkey", help="The log's verifier key: check the receipt at once. 台账验证公钥，当场核验回执。")
@click.option(
    "--ca",
    "ca_file",
    type=click.Path(path_type=Path, dir_okay=False),
    envvar="LIANDONG_CA",
    help="Trust only this authority's certificate, PEM (or LIANDONG_CA). 只信任该机构颁发的证书。",
)
@bilingual_errors
def query(
    *,
    url: str,
    key_file: Path,
    json_file: str | None,
    purpose: str | None,
    reference: str,
    words: str,
    participants: str,
    idempotency_key: str,
    receipts: Path,
    vkey: str | None,
    ca_file: Path | None,
) -> None:
    """签名查询并保存回执。 Query URL, signed (RFC 9421); print the answer, keep the receipt."""
    verifier = parse_vkey(vkey) if vkey else None
    body = _read_body(json_file) if json_file is not None else None
    why = Purpose(purpose, reference, words, tuple(participants.split())) if purpose is not None else None
    question = client.Question(url, body, idempotency_key, why)
    asked = client.query(question, client.load_key(key_file), ca_file=ca_file)
    saved = client.save(asked, receipts)
    if verifier is not None:
        client.check(asked, verifier)
    sys.stdout.buffer.write(asked.body)
    sys.stdout.buffer.write(b"" if asked.body.endswith(b"\n") else b"\n")
    checked = "，核验通过 verified" if verifier else ""
    repeated = "（此前已办理 done before）" if asked.repeated else ""
    click.echo(f"台账第 {asked.seq} 条 ledger entry {asked.seq}{repeated}，回执 receipt: {saved}{checked}", err=True)


@click.command("check-signature")
@click.argument("receipt", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--public-key",
    "public_key",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="The agency's public key: PEM, or hex as in agency.key_added. 查询单位的公钥，PEM 或十六进制。",
)
@click.option("--vkey", help="The log's verifier key: check too that it holds the entry. 台账验证公钥，一并核验入账。")
@click.option("--base", "show_base", is_flag=True, help="Print the signature base too. 一并输出签名基串。")
@bilingual_errors
def check_signature(*, receipt: Path, public_key: Path, vkey: str | None, show_base: bool) -> None:
    """离线核验：该单位确曾签名提出此查询。 Show offline, with its public key, that this agency asked this."""
    log_key = parse_vkey(vkey) if vkey else None
    key = load_public_key(_read_file(public_key), str(public_key))
    shown = check_attribution(read_receipt(receipt), key, log_key)
    click.echo(_describe(shown))
    if show_base:
        click.echo(shown.signature_base)


def _describe(shown: Shown) -> str:
    created = shown.created.strftime("%Y-%m-%dT%H:%M:%SZ")
    held = (
        "台账收有该条目，已核验。 The log holds this entry: checked."
        if shown.in_ledger
        else "未核验是否入账（须用 --vkey）。 Whether the log holds it was not checked (--vkey does)."
    )
    body = f"\n正文摘要 body digest  {shown.content_digest}" if shown.content_digest else ""
    return (
        f"签名成立：持有此密钥者提出了此请求。 The signature holds: the holder of this key asked this.\n"
        f"密钥 key             {shown.keyid} ({shown.algorithm})\n"
        f"指纹 fingerprint     {shown.fingerprint}（请与书面核对 compare it with the paper）\n"
        f"请求 request         {shown.method} {shown.target_uri}\n"
        f"签名时间 signed at   {created}（请求方时钟 by the asker's clock）\n"
        f"台账条目 entry       {shown.seq}{body}\n{held}"
    )


def _read_body(name: str) -> bytes:
    return sys.stdin.buffer.read() if name == "-" else _read_file(Path(name))


def _read_file(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read ({error.strerror}); name an existing file",
            f"无法读取 {path}（{error.strerror}）；请指定已有的文件",
        ) from error
