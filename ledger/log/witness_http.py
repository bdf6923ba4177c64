"""One witness over HTTP: ``POST /add-checkpoint`` as c2sp.org/tlog-witness says, and a small page for people.

The page is in Chinese and English at once: last head, when, green or red. On a refusal both conflicting checkpoints
stand on it in full, to be printed as one page, with whom to call.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from html import escape
from typing import Any

from ledger.errors import LedgerUnavailableError
from ledger.log.note import VerifierKey
from ledger.log.witness import MAX_BODY_BYTES, Reply, Witness
from ledger.log.witness_state import Refusal, Seen

#: A sender that trickles its body may hold a connection this long.
BODY_SECONDS = 30
_COUNTY_TIME = timezone(timedelta(hours=8))  # China has one time and no summer time
_SHOWN_REFUSALS = 20

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_HEADERS = [
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; style-src 'unsafe-inline'"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
]
_STYLE = """
body{font:16px/1.6 system-ui,"Noto Sans CJK SC","Microsoft YaHei",sans-serif;
max-width:52rem;margin:2rem auto;padding:0 1rem}
.state{padding:.6rem 1rem;color:#fff;font-weight:bold}.green{background:#17692c}.red{background:#b3141b}
pre{background:#f3f3f3;padding:.6rem;white-space:pre-wrap;overflow-wrap:anywhere}
dt{font-weight:bold}dd{margin:0 0 .5rem}section{border-top:1px solid #999;margin-top:1.5rem}
@media print{.state{color:#000;border:2px solid #000;background:none}pre{border:1px solid #999}}
"""


@dataclass(frozen=True, slots=True)
class Page:
    """What the page says besides the witness's state.

    Attributes:
        call: whom to call on a refusal.
        silent_after_hours: red when the log has shown nothing for so long; 0 for never (an office that signs by file).
    """

    call: str
    silent_after_hours: int = 26


class WitnessApp:
    """The ASGI application of one witness."""

    def __init__(self, witness: Witness, page: Page, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._witness = witness
        self._page = page
        self._now = now

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await _send(send, await self._answer(scope, receive), with_body=scope["method"] != "HEAD")

    async def _answer(self, scope: Scope, receive: Receive) -> Reply:
        path, method = scope["path"], scope["method"]
        allowed = {"/add-checkpoint": ("POST",), "/": ("GET", "HEAD"), "/vkey": ("GET", "HEAD")}.get(path)
        if allowed is None:
            return _text(404, "no such address; POST /add-checkpoint, GET / or GET /vkey", "没有此地址")
        if method not in allowed:
            return _text(405, f"only {', '.join(allowed)} here", f"此处只接受 {'、'.join(allowed)}")
        if path == "/vkey":
            return Reply(200, "text/plain; charset=utf-8", f"{self._witness.cosigner.key}\n".encode())
        if path == "/":
            html = await asyncio.to_thread(render, self._witness, self._page, self._now())
            return Reply(200, "text/html; charset=utf-8", html.encode())
        return await self._add_checkpoint(receive)

    async def _add_checkpoint(self, receive: Receive) -> Reply:
        body = await _read(receive)
        if body is None:
            return _text(413, f"at most {MAX_BODY_BYTES} bytes, sent within {BODY_SECONDS} s", "请求过大或发送过慢")
        try:
            return await asyncio.to_thread(self._witness.add_checkpoint, body)
        except LedgerUnavailableError as error:
            return _text(503, error.en, error.zh)


def render(witness: Witness, page: Page, now: datetime) -> str:
    """The page at ``now``."""
    refusals = witness.refusals()
    logs = {log.name: log for log in witness.logs}
    states = "".join(_log_section(witness, log, page, now) for log in logs.values())
    conflicts = "".join(_refusal_section(refusal, page) for refusal in refusals[:_SHOWN_REFUSALS])
    name, key = escape(witness.cosigner.name), escape(str(witness.cosigner.key))
    return (
        f'<!doctype html><html lang="zh-Hans"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>见证 Witness {name}</title><style>{_STYLE}</style>"
        f"<h1>见证方 <span lang=en>Witness</span> {name}</h1>{states}{conflicts}"
        f"<section><h2>本见证方公钥 <span lang=en>This witness's key</span></h2><pre>{key}</pre>"
        f"<p>{escape(_local(int(now.timestamp())))} 生成 <span lang=en>generated</span></p></section></html>"
    )


def is_silent(seen: Seen | None, page: Page, now: datetime) -> bool:
    """Whether the log has shown nothing for longer than it may."""
    if not page.silent_after_hours or seen is None:
        return False
    return now.timestamp() - seen.last_time > page.silent_after_hours * 3600


def _log_section(witness: Witness, log: VerifierKey, page: Page, now: datetime) -> str:
    seen = witness.seen(log.name)
    if witness.is_red(log.name):
        color, zh, en = (
            "red",
            "红：台账出示了不一致的历史，请致电",
            "RED: the log showed a history that does not fit; call",
        )
        zh, en = f"{zh} {page.call}", f"{en} {page.call}"
    elif is_silent(seen, page, now):
        color = "red"
        zh = f"红：超过 {page.silent_after_hours} 小时没有收到检查点，请致电 {page.call}"
        en = f"RED: no checkpoint for more than {page.silent_after_hours} hours; call {page.call}"
    elif seen is None:
        color, zh, en = "green", "绿：尚未收到检查点", "GREEN: no checkpoint received yet"
    else:
        color, zh, en = "green", "绿：至今一致", "GREEN: consistent so far"
    head = (
        f"<dl><dt>最近一次检查点 <span lang=en>Last head</span></dt><dd>{seen.size} 条 entries<pre>"
        f"{escape(seen.note.decode())}</pre></dd><dt>时间 <span lang=en>When</span></dt>"
        f"<dd>{escape(_local(seen.last_time))}</dd></dl>"
        if seen
        else ""
    )
    return (
        f"<section><h2>台账 <span lang=en>Log</span> {escape(log.name)}</h2>"
        f'<p class="state {color}">{escape(zh)}<br><span lang=en>{escape(en)}</span></p>{head}</section>'
    )


def _refusal_section(refusal: Refusal, page: Page) -> str:
    if refusal.proven:
        zh = "铁证：台账为两段不同的历史都签了名。请打印本页保存。"
        en = "PROOF: the log signed two different histories. Print and keep this page."
    else:
        zh = "所附证明不成立：历史被改写，或请求损坏、系他人发送。台账若属实，会重新出示。"
        en = (
            "The proof that came with it does not hold: history was rewritten, or the request was damaged or a "
            "stranger's. An honest log will show it again."
        )
    return (
        f"<section><h2>拒签 <span lang=en>Refused</span> {escape(_local(refusal.time))}</h2>"
        f"<p>{zh}<br><span lang=en>{en} ({escape(refusal.reason)})</span></p>"
        f"<h3>先前已见证 <span lang=en>Cosigned before</span></h3><pre>{escape(refusal.seen_note.decode())}</pre>"
        f"<h3>后来被拒 <span lang=en>Refused</span></h3><pre>{escape(refusal.new_note.decode())}</pre>"
        f"<p>请致电 <span lang=en>Call</span>: {escape(page.call)}</p></section>"
    )


def _local(time: int) -> str:
    """A POSIX time as the county's clock shows it (UTC+8)."""
    return datetime.fromtimestamp(time, _COUNTY_TIME).strftime("%Y-%m-%d %H:%M:%S +08:00")


async def _read(receive: Receive) -> bytes | None:
    """The request's body, or None where it is too large, too slow or broken off."""
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            while True:
                message = await receive()
                if message["type"] != "http.request":
                    return None
                body += message.get("body", b"")
                if len(body) > MAX_BODY_BYTES:
                    return None
                if not message.get("more_body"):
                    return bytes(body)
    except TimeoutError:
        return None


async def _send(send: Send, reply: Reply, *, with_body: bool) -> None:
    headers = [
        (b"content-type", reply.content_type.encode()),
        (b"content-length", b"%d" % len(reply.body)),
        *_HEADERS,
    ]
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": reply.body if with_body else b""})


def _text(status: int, en: str, zh: str) -> Reply:
    return Reply(status, "text/plain; charset=utf-8", f"{zh}\n{en}\n".encode())
