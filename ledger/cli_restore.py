"""``liandong restore``: refill an instance's ledger from a mirror, after an older copy of it was put back."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from ledger.cli_common import bilingual_errors, instance_option, parse_vkey
from ledger.cli_verify import describe as describe_verdict
from ledger.cli_verify import verify_own
from ledger.errors import BilingualError, InstanceError
from ledger.instance import Instance
from ledger.log.cosignature import CosignerKey
from ledger.log.note import Checkpoint
from ledger.log.policy import Policy
from ledger.log.restore import RestoreError
from ledger.published import open_source
from ledger.restoration import Progress, Restored, explain, restore
from ledger.witnessing import POLICY_FILE


@click.command("restore")
@click.argument("source")
@instance_option
@click.option("--vkey", help="The log's verifier key, got from outside the folder. 从外部取得的台账验证公钥。")
@click.option(
    "--token", default="", envvar="LIANDONG_TOKEN", help="Token for entries (or LIANDONG_TOKEN). 读取条目的令牌。"
)
@click.option("--json", "as_json", is_flag=True, help="Print as JSON. 以 JSON 输出。")
@bilingual_errors
def restore_command(*, source: str, instance: Path, vkey: str | None, token: str, as_json: bool) -> None:
    """从镜像补齐台账（先停止服务）。 Refill a ledger that was replaced by an older copy. Stop the service first.

    SOURCE is a directory that `liandong witness mirror-write` or `liandong ledger export` wrote, or an address
    https://… (entries need --token). All that is missing is written at once, or nothing; nothing is signed anew.
    See docs/guide/restore.md. SOURCE 为镜像或导出目录，或网址；一次补齐或完全不动，不重新签名。
    """
    opened = Instance.open(instance)
    trusted = parse_vkey(vkey) if vkey else opened.verifier_key()
    try:
        with open_source(source, token) as (found, with_entries), _bars() as progress:
            if not with_entries:
                raise RestoreError(
                    f"{source} gives hashes only; entries need a mirror's directory, an export with entries, or the "
                    "token of a supervising office (--token)",
                    f"{source} 只提供哈希；补回条目须用镜像目录、含条目的导出目录，或监督机构的令牌（--token）",
                )
            done = restore(opened, found, trusted, _witnesses(opened), progress)
    except BilingualError as error:
        raise explain(error) from error
    click.echo(json.dumps(to_json(done), ensure_ascii=False) if as_json else describe(done))
    if done.unfinished is not None:
        raise done.unfinished
    if done.beyond is not None:
        raise _not_whole(done.refilled.size, *done.beyond)
    verdict = verify_own(opened, trusted, state=None, jobs=1)
    if not as_json:
        click.echo(describe_verdict(verdict))


def _witnesses(instance: Instance) -> tuple[CosignerKey, ...]:
    """The witnesses of the instance's policy. Its log lines are not asked: they may be older than the last rotation."""
    path = instance.path / POLICY_FILE
    try:
        return tuple(witness.key for witness in Policy.parse(path.read_bytes()).witnesses)
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise InstanceError(
            f"{path} cannot be read ({error.strerror}); restore read permission",
            f"无法读取 {path}（{error.strerror}）；请恢复读权限",
        ) from error


@contextmanager
def _bars() -> Iterator[Progress]:
    """A line that counts entries, drawn only for a person who watches."""
    done: dict[str, int] = {}

    def progress(what: str, count: int) -> None:
        done[what] = done.get(what, 0) + count
        if sys.stderr.isatty():
            click.echo(f"\r{what}: {done[what]}", nl=False, err=True)

    yield progress
    if done and sys.stderr.isatty():
        click.echo(err=True)


def describe(done: Restored) -> str:
    """What came back, what did not, and what to do, in both languages."""
    refilled, brought = done.refilled, done.brought
    if refilled.size == refilled.before:
        lines = [f"没有缺失的条目，现有 {refilled.size} 条 nothing was missing, {refilled.size} entries"]
    else:
        lines = [
            f"已补回第 {refilled.before} 至 {refilled.size - 1} 条，现有 {refilled.size} 条，末条时间 {brought.last_t} "
            f"restored entries {refilled.before} to {refilled.size - 1}, {refilled.size} now",
            "种类 kinds: " + "、".join(f"{kind} {count}" for kind, count in sorted(brought.kinds.items())),
        ]
    lines.append(f"根 root: {done.head.root.hex()}")
    if done.cosigned:
        lines.append("该检查点的见证 cosigned by: " + "、".join(item.key.name for item in done.cosigned))
    if done.erased:
        lines.append(f"已再次抹除事项 particulars erased again: {done.erased}")
    if brought.with_particulars:
        lines.append(
            f"补不回：其中 {brought.with_particulars} 条的事项（承诺背后的值和盐）。任何副本都不含事项，"
            "只有请求方手中的回执还能开启。\n"
            f"Cannot come back: the values behind the commitments of {brought.with_particulars} of these entries. No "
            "copy holds them; only receipts in the requesters' hands can open them."
        )
    if brought.signed_requests:
        lines.append(
            f"补不回：其中 {brought.signed_requests} 条签名请求的防重放键（含随机数，条目中没有）。"
            "距最后一次写入不足 10 分钟的，请等满 10 分钟、旧签名过期后再启动服务。\n"
            f"Cannot come back: the keys against replay of {brought.signed_requests} signed requests, since no entry "
            "holds their nonces. Start the service no earlier than 10 minutes after the last append, when old "
            "signatures have expired."
        )
    if done.newest_key is not None:
        lines.append(
            f"本目录的密钥已被更换，不能再签署；请放回现用密钥的 keys/log.pem，其公钥为\n"
            f"The key in this folder was rotated away and signs nothing more; put back keys/log.pem of the key\n"
            f"{done.newest_key}"
        )
    if refilled.size != refilled.before:
        lines.append(
            "来源的检查点之后写入过的条目不在其中。若有单位持有更晚的回执，请勿在此基础上继续，"
            "见 docs/guide/restore.md。\n"
            "Entries that were written after SOURCE's checkpoint are not in it. If any office holds a later receipt, "
            "do not go on from here: see docs/guide/restore.md."
        )
    return "\n".join(lines)


def to_json(done: Restored) -> dict[str, Any]:
    """The same as `--json` prints it."""
    return {
        "first": done.refilled.before,
        "size": done.refilled.size,
        "root": done.head.root.hex(),
        "kinds": done.brought.kinds,
        "cosigned": [{"name": item.key.name, "time": item.time} for item in done.cosigned],
        "erased": done.erased,
        "without_particulars": done.brought.with_particulars,
        "without_nonces": done.brought.signed_requests,
        "newest_key": str(done.newest_key) if done.newest_key is not None else None,
        "missing": [done.refilled.size, done.beyond[0].size - 1] if done.beyond is not None else None,
    }


def _not_whole(size: int, head: Checkpoint, where: str) -> RestoreError:
    return RestoreError(
        f"entries {size} to {head.size - 1} are still missing: {where} records {head.size} entries (root "
        f"{head.root.hex()}). The service does not start on this ledger, or two histories would be signed. Restore "
        "again from a copy that has them; if there is none, this log ends here: open a new one with `liandong init DIR "
        "--continues CHECKPOINT` (docs/guide/restore.md)",
        f"仍缺第 {size} 至 {head.size - 1} 条：{where} 记录有 {head.size} 条（根 {head.root.hex()}）。"
        "为免签出两段历史，服务不会在此台账上启动。请用含有这些条目的副本再次恢复；若没有，本台账到此为止："
        "请用 `liandong init 目录 --continues 检查点` 另起新台账（docs/guide/restore.md）",
    )
