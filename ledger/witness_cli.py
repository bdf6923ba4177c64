"""``liandong witness``: a witness in a supervising office. The log's side of it is :mod:`ledger.cli_witnessing`."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import orjson

from ledger import serving
from ledger.cli_common import bilingual_errors, read_input, write_output
from ledger.errors import BilingualError, InstanceError, NoteError, ProofError
from ledger.log.mirror import Mirror
from ledger.log.note import VerifierKey
from ledger.log.verify_tiles import HttpSource
from ledger.log.witness import MAX_BODY_BYTES, SIZE_TYPE, Reply, Submission, Witness
from ledger.log.witness_http import WitnessApp
from ledger.log.witness_page import GREEN, RED, WAITING, LogState, Page, color_of
from ledger.log.witness_state import Refusal
from ledger.witness_folder import WitnessFolder
from ledger.witnessing import POLICY_FILE

witness_option = click.option(
    "--witness",
    "-w",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    envvar="LIANDONG_WITNESS",
    default=Path("witness"),
    show_default=True,
    help="The witness's folder (or LIANDONG_WITNESS). 见证目录。",
)
FILE = click.Path(path_type=Path, dir_okay=False)
_EXPORT_VERSION = 1
_COLORS = {GREEN: "绿 GREEN", WAITING: "待 WAITING", RED: "红 RED"}
#: Between two fetches of a mirror; each is an entry of the ledger itself (audit.read).
MIRROR_SECONDS = 3_600.0
#: While nothing was cosigned yet, or after a failure.
MIRROR_FIRST_SECONDS = 60.0


@click.group()
def witness() -> None:
    """在监督机构运行见证方。 Run a witness in a supervising office."""


@witness.command()
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False))
@click.option("--name", required=True, help="Its name, like example.gov.cn/witness/sfj. 见证方名称。")
@click.option(
    "--log", "logs", multiple=True, required=True, help="A log's verifier key; repeat. 台账验证公钥，可多次。"
)
@click.option("--call", required=True, help="Whom to call on a refusal, with telephone. 拒签时联系谁（含电话）。")
@click.option(
    "--silent-after-hours",
    default=26,
    show_default=True,
    type=click.IntRange(0),
    help="Hours without a checkpoint until the page turns red; 0: never. 多少小时无检查点即转红，0 为不转红。",
)
@click.option("--url", default="", help="Where the log will reach it, for the printed line. 台账访问见证方的地址。")
@bilingual_errors
def init(directory: Path, *, name: str, logs: tuple[str, ...], call: str, silent_after_hours: int, url: str) -> None:
    """新建见证目录和密钥。 Make a witness's folder with a key of its own."""
    keys = tuple(VerifierKey.parse(log) for log in logs)
    made = WitnessFolder.create(directory, name, keys, Page(call, silent_after_hours, datetime.now(UTC)), os.urandom)
    click.echo(f"已建立见证目录 created the witness in {directory}")
    click.echo(f"请将下面一行交台账所在单位，写入 {POLICY_FILE} for the log's {POLICY_FILE}:")
    click.echo(made.policy_lines(url))


@witness.command()
@witness_option
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on. 监听地址。")
@click.option(
    "--port", default=8002, show_default=True, type=click.IntRange(1, 65535), help="Port to listen on. 监听端口。"
)
@click.option("--mirror", default="", help="The service's address: keep its entries too. 台账服务地址，兼作镜像。")
@click.option(
    "--token", default="", envvar="LIANDONG_TOKEN", help="Token for entries (or LIANDONG_TOKEN). 读取条目的令牌。"
)
@bilingual_errors
def serve(folder: Path, host: str, port: int, mirror: str, token: str) -> None:
    """启动见证服务。 Serve the witness: POST /add-checkpoint, GET /, GET /vkey.

    With --mirror it also keeps the ledger's entries, without particulars, up to what it cosigned; an hour apart,
    since each reading is an entry itself. 加 --mirror 时每小时取回其见证过的条目（不含事项）。
    """
    opened = WitnessFolder.open(folder)
    with (
        closing(serving.listen(host, port)) as listener,
        closing(opened.witness()) as state,
        _mirroring(opened, state, mirror, token),
    ):
        click.echo(f"见证服务已启动 witness {opened.cosigner.name} serving at http://{host}:{port}/")
        serving.serve(WitnessApp(state, opened.page), listener)


@witness.command()
@click.argument("file", type=FILE)
@click.option("--output", "-o", type=FILE, help="Where to write; else FILE with .cosigned. 输出文件。")
@witness_option
@bilingual_errors
def sign(file: Path, output: Path | None, folder: Path) -> None:
    """核对并签署提交文件（无网络时）。 Check and cosign a submission FILE, for an office without a network.

    FILE comes from `liandong ledger witness-export`; what is written goes back to `liandong ledger
    witness-import`. 文件由 `liandong ledger witness-export` 生成，结果交回 `liandong ledger witness-import`。
    """
    body = read_input(file, MAX_BODY_BYTES)
    with closing(WitnessFolder.open(folder).witness()) as state:
        reply = state.add_checkpoint(body)
    if reply.status != 200:
        raise _not_signed(reply)
    target = output or file.with_name(f"{file.name}.cosigned")
    write_output(target, Submission.parse(body).checkpoint + reply.body)
    click.echo(f"已签署 cosigned: {target}")


@witness.command()
@click.argument("url")
@click.option(
    "--token", default="", envvar="LIANDONG_TOKEN", help="Token for entries (or LIANDONG_TOKEN). 读取条目的令牌。"
)
@witness_option
@bilingual_errors
def mirror(url: str, token: str, folder: Path) -> None:
    """立即取回一次已见证的条目。 Fetch what was cosigned from the service at URL, once."""
    opened = WitnessFolder.open(folder)
    with closing(opened.witness()) as state, closing(Mirror(opened.mirror_path)) as kept:
        taken = _sync(opened, state, kept, url, token)
        click.echo(f"新取回 taken: {taken}，共 {kept.size} 条 entries")


@witness.command("mirror-write")
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False))
@witness_option
@bilingual_errors
def mirror_write(directory: Path, folder: Path) -> None:
    """将镜像写成导出目录。 Write the mirror as a directory that `liandong ledger verify` reads."""
    opened = WitnessFolder.open(folder)
    with closing(Mirror(opened.mirror_path)) as kept:
        size = kept.write(directory)
    click.echo(f"已写出 written: {size} 条 entries")


@witness.command("export")
@click.argument("file", type=FILE)
@witness_option
@bilingual_errors
def export_state(file: Path, folder: Path) -> None:
    """导出所见证的全部检查点和拒签记录。 Write all that was cosigned and refused to FILE: evidence, and a backup."""
    opened = WitnessFolder.open(folder)
    with closing(opened.witness()) as state:
        names = sorted({log.name for log in opened.logs})
        value: dict[str, Any] = {
            "version": _EXPORT_VERSION,
            "witness": str(opened.cosigner.key),
            "cosigned": [seen.note.decode() for name in names for seen in state.cosigned(name)],
            "refused": [_refusal(refusal) for refusal in state.refusals()],
        }
    write_output(file, json.dumps(value, ensure_ascii=False, indent=1).encode() + b"\n")
    click.echo(f"已导出 exported: {len(value['cosigned'])} + {len(value['refused'])}")


@witness.command("import")
@click.argument("file", type=FILE)
@witness_option
@bilingual_errors
def import_state(file: Path, folder: Path) -> None:
    """从导出文件恢复本见证方签署过的检查点。 Take back what this witness cosigned, after its state was lost."""
    try:
        value: Any = orjson.loads(read_input(file))
        if value["version"] != _EXPORT_VERSION:
            raise ValueError(value["version"])
        notes = [note.encode() for note in value["cosigned"]]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise NoteError(
            f"{file} is not what `liandong witness export` writes ({error})",
            f"{file} 不是 `liandong witness export` 写出的文件（{error}）",
        ) from error
    with closing(WitnessFolder.open(folder).witness()) as state:
        taken = state.restore(notes)
    click.echo(f"新取回 taken: {taken} / {len(notes)}")


@witness.command()
@witness_option
@click.option("--json", "as_json", is_flag=True, help="Print as JSON. 以 JSON 输出。")
@bilingual_errors
def status(folder: Path, as_json: bool) -> None:
    """最近的检查点、时间、红或绿。 Last head, when, green or red; exit 1 if red."""
    opened = WitnessFolder.open(folder)
    logs = {log.name: log for log in opened.logs}
    found = []
    with closing(opened.witness()) as state:
        for name, log in sorted(logs.items()):
            seen = state.seen(name)
            color = color_of(LogState(log, seen, state.unresolved(name)), opened.page, datetime.now(UTC))
            found.append(
                {
                    "log": name,
                    "color": color,
                    "red": color == RED,
                    "size": seen.size if seen else 0,
                    "root": seen.root.hex() if seen else None,
                    "time": datetime.fromtimestamp(seen.last_time, UTC).isoformat() if seen else None,
                }
            )
        refused = [_refusal(refusal) for refusal in state.refusals()]
    if as_json:
        click.echo(json.dumps({"logs": found, "refused": refused, "call": opened.page.call}, ensure_ascii=False))
    else:
        for item in found:
            color = _COLORS[str(item["color"])]
            click.echo(f"{color}  {item['log']}  {item['size']} 条 entries  {item['time'] or '—'}")
        for refusal in refused:
            click.echo(f"拒签 refused: {refusal['reason']}\n{refusal['seen']}\n{refusal['new']}")
    if any(item["red"] for item in found):
        raise ProofError(f"a log is red, call {opened.page.call}", f"有台账显示红色，请致电 {opened.page.call}")


@contextmanager
def _mirroring(opened: WitnessFolder, state: Witness, url: str, token: str) -> Iterator[None]:
    """While inside, a thread of its own keeps the mirror; what goes wrong is said and tried again."""
    if not url:
        yield
        return
    _only_log(opened)
    stop = threading.Event()
    kept = Mirror(opened.mirror_path)

    def keep() -> None:
        while True:
            try:
                _sync(opened, state, kept, url, token)
                pause = MIRROR_SECONDS if kept.size else MIRROR_FIRST_SECONDS
            except BilingualError as error:
                click.echo(f"镜像 mirror: {error.zh}\n{error.en}", err=True)
                pause = MIRROR_FIRST_SECONDS
            if stop.wait(pause):
                return

    thread = threading.Thread(target=keep, name="mirror")
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        kept.close()


def _sync(opened: WitnessFolder, state: Witness, kept: Mirror, url: str, token: str) -> int:
    seen = state.seen(_only_log(opened))
    if seen is None:
        return 0
    with HttpSource(url, token) as source:
        return kept.sync(source, seen)


def _only_log(opened: WitnessFolder) -> str:
    names = {log.name for log in opened.logs}
    if len(names) != 1:
        raise InstanceError(
            "a mirror keeps one log; make a witness's folder for each", "镜像只保存一份台账；请为每份台账各建见证目录"
        )
    return names.pop()


def _refusal(refusal: Refusal) -> dict[str, Any]:
    return {
        "log": refusal.origin,
        "size": refusal.size,
        "proven": refusal.proven,
        "reason": refusal.reason,
        "time": refusal.time,
        "seen": refusal.seen_note.decode(),
        "new": refusal.new_note.decode(),
    }


def _not_signed(reply: Reply) -> ProofError:
    said = reply.body.decode(errors="replace").strip().splitlines() or [""]
    if reply.content_type == SIZE_TYPE:
        return ProofError(
            f"not cosigned (409): this witness has {said[0]} entries of the log. Export again with --old {said[0]}; if "
            "the log has fewer, or is refused once more, run `liandong witness status`",
            f"未签署（409）：本见证方已见该台账 {said[0]} 条。请加 --old {said[0]} 重新导出；"
            "若台账不足此数或再次被拒，请运行 `liandong witness status`",
        )
    return ProofError(f"not cosigned ({reply.status}): {said[-1]}", f"未签署（{reply.status}）：{said[0]}")
