"""A witness's page, for whoever sits in the supervising office: green, waiting or red, and what to do then.

One language at a time, Chinese first; without scripts, readable at the width of a phone, and each refused checkpoint
beside the one it conflicts with on a single sheet when printed. Pure: state and clock are arguments.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from html import escape

from ledger.errors import NoteError
from ledger.log.note import Checkpoint, Note, VerifierKey
from ledger.log.witness_state import Refusal, Seen

_COUNTY_TIME = timezone(timedelta(hours=8))  # China has one time and no summer time
SHOWN_REFUSALS = 20

GREEN, WAITING, RED = "green", "waiting", "red"


@dataclass(frozen=True, slots=True)
class Page:
    """What the page says besides the witness's state.

    Attributes:
        call: whom to call on a refusal.
        silent_after_hours: red when the log has shown nothing for so long; 0 for never (an office that signs by file).
        since: when the witness was made: so long it may wait for the first checkpoint; None: not known.
    """

    call: str
    silent_after_hours: int = 26
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class LogState:
    """What a witness knows of one log.

    Attributes:
        refused: a signed checkpoint that was refused and that the log has not proved since; of several a proven one.
    """

    log: VerifierKey
    seen: Seen | None
    refused: Refusal | None


def color_of(state: LogState, page: Page, now: datetime) -> str:
    """:data:`GREEN`, :data:`WAITING` or :data:`RED`."""
    if state.refused is not None or is_silent(state.seen, page, now):
        return RED
    return GREEN if state.seen is not None else WAITING


def is_silent(seen: Seen | None, page: Page, now: datetime) -> bool:
    """Whether the log has shown nothing for longer than it may."""
    if not page.silent_after_hours:
        return False
    last = seen.last_time if seen is not None else page.since.timestamp() if page.since is not None else None
    return last is not None and now.timestamp() - last > page.silent_after_hours * 3600


def render(
    name: str, key: str, states: Sequence[LogState], refusals: Sequence[Refusal], page: Page, now: datetime, lang: str
) -> str:
    """The page at ``now``, in ``lang``: ``zh`` or ``en``.

    Args:
        name, key: of the witness.
        refusals: newest first.
    """
    say = _Say(lang == "en", page, now)
    logs = "".join(_log_section(say, state) for state in states)
    kept = "".join(_refusal_section(say, refusal, name) for refusal in refusals[:SHOWN_REFUSALS])
    return (
        f'<!doctype html>\n<html lang="{say("zh-CN", "en")}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{say('见证', 'Witness')} {escape(name)}</title>"
        '<link rel="stylesheet" href="/witness.css"></head><body>'
        f'<header><div><p class="kind">{say("台账见证", "Ledger witness")}</p><h1>{escape(name)}</h1></div>'
        f'<nav aria-label="{say("语言", "Language")}"><a href="/?lang={say("en", "zh")}" '
        f'lang="{say("en", "zh-CN")}">{say("English", "中文")}</a></nav></header>'
        f"<main>{logs}{kept}{_about(say, key)}</main>"
        f"<footer><p>{say('本页生成于', 'This page was made at')} {say.clock(int(now.timestamp()))}"
        f"{say('，刷新可更新。', '; reload it for news.')}</p></footer></body></html>\n"
    )


class _Say:
    """Picks the language; knows the page's settings and the clock."""

    def __init__(self, english: bool, page: Page, now: datetime) -> None:
        self.english = english
        self.page = page
        self.now = now

    def __call__(self, zh: str, en: str) -> str:
        return en if self.english else zh

    @property
    def call(self) -> str:
        return f"<strong>{escape(self.page.call)}</strong>"

    def clock(self, time: int) -> str:
        """A POSIX time (seconds) as the county's clock shows it."""
        shown = datetime.fromtimestamp(time, _COUNTY_TIME).strftime("%Y-%m-%d %H:%M:%S")
        return self(f"北京时间 {shown}", f"{shown} UTC+8")

    def ago(self, time: int) -> str:
        """How long ago a POSIX time (seconds) is, in the largest unit that fits."""
        elapsed_s = max(0, int(self.now.timestamp()) - time)
        for unit_s, zh, en in ((86_400, "天", "day"), (3_600, "小时", "hour"), (60, "分钟", "minute")):
            count = elapsed_s // unit_s
            if count:
                return self(f"{count} {zh}前", f"{count} {en}{'s' * (count > 1)} ago")
        return self("刚刚", "just now")


def _log_section(say: _Say, state: LogState) -> str:
    color = color_of(state, say.page, say.now)
    head, what, steps = _verdict(say, state, color)
    # Where one was refused, both notes stand below, and all of it is to fit on one sheet.
    seen = "" if state.seen is None else _seen(say, state.seen, in_full=state.refused is None)
    listed = f"<ol>{''.join(f'<li>{step}</li>' for step in steps)}</ol>" if steps else ""
    return (
        f'<section class="log"><h2>{say("台账", "Log")} <span class="name">{escape(state.log.name)}</span></h2>'
        f'<div class="state {color}"><p class="verdict">{head}</p><p>{what}</p>{listed}</div>'
        f"{seen}</section>"
    )


def _verdict(say: _Say, state: LogState, color: str) -> tuple[str, str, list[str]]:
    """The headline, what it means, and what to do."""
    seen = state.seen
    if state.refused is not None:
        return _refused_verdict(say, state.refused)
    if color == RED:
        hours = say.page.silent_after_hours
        what = say(
            f"已超过 {hours} 小时没有收到检查点。台账也许停了，也许网络断了；没有检查点，就不能证明其间没有改动。",
            f"No checkpoint came for more than {hours} hours. The ledger may have stopped, or the network may be cut; "
            "without checkpoints nothing shows that it was left alone meanwhile.",
        )
        return say("红：没有消息", "RED: silent"), what, [_call_step(say)]
    if seen is None:
        what = say(
            "还没有收到过检查点。请确认台账单位已把页末的公钥写入 witnesses.policy，并能连到本机。",
            "No checkpoint has come yet. See that the ledger's office has put the key at the end of this page into its "
            "witnesses.policy and reaches this machine.",
        )
        return say("等待：尚未开始", "WAITING: not begun"), what, []
    what = say(
        f"至今出示的 {seen.size} 条前后一致。最近一次签署：{say.ago(seen.last_time)}。无需操作。",
        f"All that was shown so far ({seen.size} {'entry' if seen.size == 1 else 'entries'}) agrees; the last "
        f"checkpoint came {say.ago(seen.last_time)}. Nothing to do.",
    )
    return say("绿：一致", "GREEN: consistent"), what, []


def _refused_verdict(say: _Say, refused: Refusal) -> tuple[str, str, list[str]]:
    if refused.proven:
        what = say(
            "台账（或盗用其私钥的人）签署了两段互相矛盾的历史：先前见证过的内容后来变了。"
            "下面的两份检查点合在一起就是证据，谁也无法否认。",
            "The log, or somebody who stole its key, signed two histories that contradict one another: what was "
            "witnessed before was changed afterwards. The two checkpoints below together are proof that nobody can "
            "deny.",
        )
        steps = [
            say("打印本页，签名并注明日期，存档。", "Print this page, sign and date it, and file it."),
            _call_step(say),
            say(
                "不要删除或重置见证目录；运行 <code>liandong witness export</code> 另存一份证据。",
                "Do not delete or reset the witness's folder; keep another copy of the evidence with <code>liandong "
                "witness export</code>.",
            ),
        ]
        return say("红：铁证，台账被改写", "RED: PROOF that the log was rewritten"), what, steps
    what = say(
        "收到一份台账签名的检查点，但所附证明说明不了它与先前一致，因此未签。可能是历史被改写，也可能是请求损坏或他人冒发；"
        "台账若属实，几分钟内会重新出示，本页随即转绿。",
        "A checkpoint came that the log signed, but the proof sent with it does not show that it agrees with those "
        "before, so it was not cosigned. History may have been rewritten, or the request was damaged or a stranger's. "
        "An honest log shows it again within minutes, and this page turns green.",
    )
    steps = [
        say("等 10 分钟，刷新本页。", "Wait 10 minutes and reload this page."),
        say(f"仍是红色：打印本页并致电 {say.call}。", f"Still red: print this page and call {say.call}."),
    ]
    return say("红：未能证明一致", "RED: not shown to be consistent"), what, steps


def _call_step(say: _Say) -> str:
    return say(f"致电 {say.call}。", f"Call {say.call}.")


def _seen(say: _Say, seen: Seen, *, in_full: bool) -> str:
    rows = [
        (say("条数", "Entries"), str(seen.size)),
        (say("最近一次签署", "Last cosigned"), say.clock(seen.last_time)),
        (say("首次签署该检查点", "First cosigned"), say.clock(seen.first_time)),
    ]
    items = "".join(f"<div><dt>{term}</dt><dd>{value}</dd></div>" for term, value in rows)
    title = say("最近签署的检查点", "Last cosigned checkpoint")
    return f'<h3>{title}</h3><dl class="facts">{items}</dl>{_note(seen.note) if in_full else ""}'


def _refusal_section(say: _Say, refusal: Refusal, witness: str) -> str:
    title = (
        say("拒签记录：铁证", "Refused: proof")
        if refusal.proven
        else say("拒签记录：未能证明一致", "Refused: not proved")
    )
    reason = {
        "two roots for one size": say(
            f"同为 {refusal.size} 条，两份检查点的根却不同。",
            f"Both are of {refusal.size} entries, and their roots differ.",
        ),
        "its own proof shows another history": say(
            "后一份自带的证明表明：它的开头不是先前见证过的内容。",
            "The later one's own proof shows that it does not begin with what was witnessed before.",
        ),
        "the proof did not hold": say("后一份所附的证明不成立。", "The proof sent with the later one does not hold."),
    }.get(refusal.reason, escape(refusal.reason))
    return (
        f'<section class="refusal"><h2>{title}</h2><p>{say("台账", "Log")} <span class="name">{escape(refusal.origin)}'
        f"</span>{say('，拒签于', ', refused')} {say.clock(refusal.time)}</p><p>{reason}</p>"
        f'<div class="pair"><div><h3>{say("先前已见证", "Cosigned before")}</h3>{_facts(say, refusal.seen_note)}'
        f"{_note(refusal.seen_note)}</div><div><h3>{say('后来被拒', 'Refused')}</h3>{_facts(say, refusal.new_note)}"
        f"{_note(refusal.new_note)}</div></div>"
        f'<p>{say("请致电", "Call")} {say.call}</p><p class="sign">{say("见证方", "Witness")} {escape(witness)}'
        f"<span>{say('经办人签名', 'Signed')}</span><span>{say('日期', 'Date')}</span></p></section>"
    )


def _facts(say: _Say, note: bytes) -> str:
    """Size and root of a checkpoint, root in hex as the command line prints it."""
    try:
        checkpoint = Checkpoint.parse_text(Note.parse(note).text)
    except NoteError:
        return ""
    return (
        f'<dl class="facts"><div><dt>{say("条数", "Entries")}</dt><dd>{checkpoint.size}</dd></div>'
        f'<div><dt>{say("根", "Root")}</dt><dd class="hash">{checkpoint.root.hex()}</dd></div></dl>'
    )


def _note(note: bytes) -> str:
    return f"<pre>{escape(note.decode())}</pre>"


def _about(say: _Say, key: str) -> str:
    return (
        f'<section class="key"><h2>{say("本见证方的公钥", "This witness&#39;s key")}</h2><pre>{escape(key)}</pre><p>'
        + say(
            "请书面交台账单位，写入其 witnesses.policy；核对时逐字比较。",
            "Give it to the ledger's office on paper, for its witnesses.policy; compare it letter by letter.",
        )
        + "</p></section>"
    )


def language(query: bytes, accepted: bytes) -> str:
    """``zh`` or ``en``: what the address asks for, else the reader's first language of the two, else Chinese."""
    for part in query.split(b"&"):
        if part in (b"lang=zh", b"lang=en"):
            return part[5:].decode()
    for item in accepted.split(b","):
        tag = item.split(b";")[0].strip()[:2].lower()
        if tag in (b"zh", b"en"):
            return tag.decode()
    return "zh"


#: Served at /witness.css. Colours are those of the catalog's pages, so that both offices see one thing.
STYLE = """
:root{--ink:#1a2430;--soft:#4b5a6a;--line:#d3dae2;--ground:#f2f4f7;--brand:#143f70;--link:#0f5199;
--yes:#1a6638;--ask:#80500a;--no:#9b2420}
*{box-sizing:border-box}
body{margin:0;background:var(--ground);color:var(--ink);font:16px/1.65 "Noto Sans CJK SC","Microsoft YaHei",
"PingFang SC",sans-serif}
body:lang(en){font-family:"Segoe UI","Helvetica Neue","Noto Sans",Arial,"Noto Sans CJK SC",sans-serif}
header{display:flex;flex-wrap:wrap;align-items:center;justify-content:space-between;gap:0 1.5rem;
padding:.75rem max(1.5rem,50% - 32rem);background:var(--brand);color:#fff}
header .kind{margin-block:0;font-size:.875rem}
header h1{margin-block:0;font-size:1.5rem;overflow-wrap:anywhere}
header a{display:inline-block;min-width:2.75rem;min-height:2.75rem;padding:.55rem 0;color:#fff}
main,footer{padding:.5rem max(1.5rem,50% - 32rem)}
section>:last-child{margin-bottom:0}
section{margin-block:1rem;padding:1rem 1.25rem;background:#fff;border:1px solid var(--line);border-radius:.375rem}
h2{margin:0 0 .75rem;font-size:1.125rem}h3{margin:1rem 0 .5rem;font-size:1rem}
.name{overflow-wrap:anywhere}
.state{padding:.75rem 1rem;border-left:.5rem solid;border-radius:.25rem}
.state p,.state ol{margin-block:.25rem}.state ol{padding-left:1.5rem}
.state .verdict{font-size:1.375rem;font-weight:700}
.green{border-color:var(--yes);background:#e4f2e9}.green .verdict{color:var(--yes)}
.waiting{border-color:var(--ask);background:#fcf1dc}.waiting .verdict{color:var(--ask)}
.red{border-color:var(--no);background:#fae9e8}.red .verdict{color:var(--no)}
.facts{display:flex;flex-wrap:wrap;gap:.5rem 2rem;margin:0 0 .75rem}
dt{font-size:.875rem;color:var(--soft)}dd{margin:0}
.hash{font-family:ui-monospace,Consolas,monospace;font-size:.8125rem;overflow-wrap:anywhere}
pre,code{font-family:ui-monospace,Consolas,"Noto Sans Mono CJK SC",monospace;font-size:.8125rem}
pre{margin:0;padding:.75rem;background:var(--ground);white-space:pre-wrap;overflow-wrap:anywhere;line-height:1.5}
.pair{display:grid;gap:0 1.5rem}
.sign{display:none}
footer{padding-bottom:1.5rem;color:var(--soft);font-size:.875rem}
:focus-visible{outline:3px solid #ffd166;outline-offset:2px}
@media(min-width:56rem){.pair{grid-template-columns:1fr 1fr}}
@media(max-width:30rem){main,header,footer{padding-inline:1rem}section{padding:.75rem 1rem}}
@media print{
@page{size:A4;margin:12mm}
html{font-size:9.5pt}body{background:#fff;font-size:9.5pt;line-height:1.4}
header{padding:0 0 2mm;background:none;color:#000;border-bottom:1px solid #000}header nav{display:none}
main,footer{padding:0}footer{font-size:8pt}
section{margin-block:3mm;padding:0;border:0}
.refusal{break-inside:avoid;border-top:1px solid #000;border-radius:0;padding-top:2mm}p{margin-block:1mm}
.state{border:2px solid #000;background:none}.state .verdict{color:#000;font-size:13pt}
pre{padding:2mm;background:none;border:1px solid #999;font-size:7.5pt}.hash{font-size:7.5pt}
.pair{grid-template-columns:1fr 1fr;gap:0 4mm}
h3{margin:2mm 0 1mm}
.sign{display:flex;gap:8mm;margin-top:5mm}.sign span{flex:1;border-bottom:1px solid #000}
}
"""
